import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.Arrays;
import java.util.function.Function;

/**
 * Runs the main classes of Hadoop and Kafka inside one JVM that is already warm: a command costs milliseconds, not the
 * seconds that a JVM needs to start. One connection is one command.
 *
 * <pre>
 * request:   int32 n, then n strings (int32 length, UTF-8): user, main class, arguments...
 *            standard input in chunks (int32 length, bytes), ended by a chunk of length 0
 * response:  frames (byte kind, int32 length, bytes): 1 standard output, 2 standard error,
 *            3 the exit code as an int32; it is the last frame
 * </pre>
 *
 * The user is one of the cluster's, with its keytab; empty means nobody in particular (Kafka's tools are told who they
 * are by a properties file).
 */
public final class Toolbox {
  /** Runs a command as one of the cluster's users. */
  interface Login {
    void run(String user, Command command) throws Exception;
  }

  interface Command {
    void run() throws Exception;
  }

  /** What System.exit throws here: every one of these main methods calls it. */
  private static final class Exit extends SecurityException {}

  /** One command while it runs. */
  private static final class Call {
    final InputStream in;
    final OutputStream out;
    final OutputStream err;
    Integer code; // of the first exit; null until then

    Call(DataInputStream in, DataOutputStream out) {
      this.in = new Chunks(in);
      this.out = new Frames(out, 1);
      this.err = new Frames(out, 2);
    }
  }

  /** Inherited: some tools print from threads that they start. */
  private static final InheritableThreadLocal<Call> CALL = new InheritableThreadLocal<>();

  public static void main(String[] args) throws Exception {
    if (args[0].equals("call")) {
      System.exit(call(Integer.parseInt(args[1]), Arrays.copyOfRange(args, 2, args.length)));
    }
    Login login = args.length > 1 ? new HadoopLogin(args[1]) : (user, command) -> command.run();
    PrintStream log = System.err;
    System.setIn(new CommandInput());
    System.setOut(new PrintStream(new CommandOutput(call -> call.out, log), true));
    System.setErr(new PrintStream(new CommandOutput(call -> call.err, log), true));
    System.setSecurityManager(new ExitTrap());
    try (ServerSocket server = new ServerSocket(Integer.parseInt(args[0]), 50, InetAddress.getByName("127.0.0.1"))) {
      log.println("toolbox: ready on " + server.getLocalSocketAddress());
      while (true) {
        Socket peer = server.accept();
        Thread thread = new Thread(() -> serve(peer, login, log), "command");
        thread.setDaemon(true);
        thread.start();
      }
    }
  }

  private static void serve(Socket peer, Login login, PrintStream log) {
    try (Socket socket = peer) {
      DataInputStream in = new DataInputStream(socket.getInputStream());
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      String[] words = new String[in.readInt()];
      for (int i = 0; i < words.length; i++) {
        words[i] = readString(in);
      }
      CALL.set(new Call(in, out));
      int code = run(login, words);
      System.out.flush();
      synchronized (out) {
        out.writeByte(3);
        out.writeInt(4);
        out.writeInt(code);
        out.flush();
      }
      socket.shutdownOutput();
      // A close with input unread resets the connection, and the caller may lose the end of the output: its last chunk is read first.
      socket.setSoTimeout(10_000);
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      log.println("toolbox: the caller went away: " + e);
    }
  }

  private static int run(Login login, String[] words) {
    String[] args = Arrays.copyOfRange(words, 2, words.length);
    try {
      login.run(words[0], () -> Class.forName(words[1]).getMethod("main", String[].class).invoke(null, (Object) args));
    } catch (Throwable e) {
      if (CALL.get().code == null) {
        e.printStackTrace();
        return 255;
      }
    }
    Integer code = CALL.get().code;
    return code == null ? 0 : code;
  }

  /** The client's side, for shell scripts: PORT USER CLASS ARGS... */
  private static int call(int port, String[] words) throws IOException {
    try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), port)) {
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      out.writeInt(words.length);
      for (String word : words) {
        byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
      }
      byte[] buffer = new byte[64 << 10];
      // What is already there: a terminal, or a pipe that nobody writes to, must not hold the command up.
      for (int n; System.in.available() > 0 && (n = System.in.read(buffer)) > 0; ) {
        out.writeInt(n);
        out.write(buffer, 0, n);
      }
      out.writeInt(0);
      out.flush();
      DataInputStream in = new DataInputStream(socket.getInputStream());
      while (true) {
        int kind = in.readByte();
        byte[] bytes = in.readNBytes(in.readInt());
        if (kind == 3) {
          return new DataInputStream(new ByteArrayInputStream(bytes)).readInt();
        }
        (kind == 1 ? System.out : System.err).write(bytes);
        System.out.flush();
      }
    }
  }

  private static String readString(DataInputStream in) throws IOException {
    return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
  }

  /** Standard input as the request brings it. */
  private static final class Chunks extends InputStream {
    private final DataInputStream in;
    private int left;
    private boolean ended;

    Chunks(DataInputStream in) {
      this.in = in;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (left == 0 && !ended) {
        left = in.readInt();
        ended = left == 0;
      }
      if (ended) {
        return -1;
      }
      int n = in.read(bytes, offset, Math.min(length, left));
      if (n < 0) {
        throw new IOException("the caller went away");
      }
      left -= n;
      return n;
    }
  }

  /** Standard output or error as frames of the response. */
  private static final class Frames extends OutputStream {
    private final DataOutputStream out;
    private final int kind;

    Frames(DataOutputStream out, int kind) {
      this.out = out;
      this.kind = kind;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      synchronized (out) {
        out.writeByte(kind);
        out.writeInt(length);
        out.write(bytes, offset, length);
      }
    }
  }

  private static final class CommandInput extends InputStream {
    @Override
    public int read() throws IOException {
      Call call = CALL.get();
      return call == null ? -1 : call.in.read();
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      Call call = CALL.get();
      return call == null ? -1 : call.in.read(bytes, offset, length);
    }
  }

  private static final class CommandOutput extends OutputStream {
    private final Function<Call, OutputStream> stream;
    private final OutputStream otherwise;

    CommandOutput(Function<Call, OutputStream> stream, OutputStream otherwise) {
      this.stream = stream;
      this.otherwise = otherwise;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      Call call = CALL.get();
      if (call == null) {
        otherwise.write(bytes, offset, length);
      } else if (call.code == null) {
        try {
          stream.apply(call).write(bytes, offset, length);
        } catch (IOException e) {
          // The caller went away. The PrintStream above would remember it for all who come later, and `-cat` asks it.
        }
      }
    }
  }

  private static final class ExitTrap extends SecurityManager {
    /** Only the first exit counts, and nothing is printed after it: Kafka's tools catch what it throws and complain. */
    @Override
    public void checkExit(int code) {
      Call call = CALL.get();
      if (call != null) {
        System.out.flush();
        if (call.code == null) {
          call.code = code;
        }
        throw new Exit();
      }
    }

    @Override
    public void checkPermission(Permission permission) {}

    @Override
    public void checkPermission(Permission permission, Object context) {}
  }
}
