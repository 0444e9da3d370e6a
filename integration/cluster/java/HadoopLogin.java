import java.security.PrivilegedExceptionAction;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.security.UserGroupInformation;

/** Logs the cluster's users in from their keytabs, once each, and again when a ticket has run old. */
final class HadoopLogin implements Toolbox.Login {
  private final String keytabs;
  private final Map<String, UserGroupInformation> users = new ConcurrentHashMap<>();

  HadoopLogin(String keytabs) {
    this.keytabs = keytabs;
    UserGroupInformation.setConfiguration(new Configuration());
  }

  @Override
  public void run(String user, Toolbox.Command command) throws Exception {
    UserGroupInformation ugi = users.get(user);
    if (ugi == null) {
      ugi = UserGroupInformation.loginUserFromKeytabAndReturnUGI(user, keytabs + "/" + user + ".keytab");
      users.put(user, ugi);
    }
    ugi.checkTGTAndReloginFromKeytab();
    ugi.doAs((PrivilegedExceptionAction<Void>) () -> {
      command.run();
      return null;
    });
  }
}
