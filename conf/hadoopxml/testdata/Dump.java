import java.util.Scanner;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.HdfsConfiguration;

/** Prints what Hadoop's own class makes of the properties whose names come on standard input, as name, tab, value. */
class Dump {
  public static void main(String[] args) {
    Configuration conf = new HdfsConfiguration();
    Scanner in = new Scanner(System.in, "UTF-8");
    while (in.hasNextLine()) {
      String name = in.nextLine();
      System.out.println(name + "\t" + show(conf, name));
    }
  }

  static String show(Configuration conf, String name) {
    try {
      if (name.startsWith("t.size")) return Long.toString(conf.getLongBytes(name, -1));
      if (name.startsWith("t.int")) return Long.toString(conf.getLong(name, -1));
      if (name.startsWith("t.bool")) return Boolean.toString(conf.getBoolean(name, false));
      if (name.startsWith("t.time")) return Long.toString(conf.getTimeDuration(name, -1, TimeUnit.SECONDS, TimeUnit.NANOSECONDS));
      if (name.equals("t.lines")) return String.join("|", conf.getTrimmedStringCollection(name));
      String value = conf.get(name);
      return value == null ? "(none)" : "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
    } catch (RuntimeException e) {
      return "(error)";
    }
  }
}
