// Checks of a JVM: threads, garbage collection, files, mapped memory, processes, sockets.
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Checks {
  interface Body { Object run() throws Exception; }
  static boolean failed;
  static void check(String name, Object want, Body body) {
    Object got;
    try { got = body.run(); } catch (Throwable e) { got = e; }
    boolean same = Objects.equals(want, got);
    if (!same) failed = true;
    System.out.println((same ? "ok " : "NOT OK ") + name + (same ? "" : ": " + got));
  }
  public static void main(String[] args) throws Exception {
    Path dir = Files.createTempDirectory(Path.of("."), "java");
    check("threads", 800000L, () -> {
      LongAdder sum = new LongAdder();
      List<Thread> all = new ArrayList<>();
      for (int i = 0; i < 8; i++) all.add(new Thread(() -> { for (int n = 0; n < 100000; n++) sum.increment(); }));
      for (Thread t : all) t.start();
      for (Thread t : all) t.join();
      return sum.sum();
    });
    check("executor", 338350, () -> {
      ExecutorService pool = Executors.newFixedThreadPool(4);
      int sum = 0;
      List<Future<Integer>> futures = new ArrayList<>();
      for (int i = 1; i <= 100; i++) { int n = i; futures.add(pool.submit(() -> n * n)); }
      for (Future<Integer> f : futures) sum += f.get();
      pool.shutdown();
      return sum + (pool.awaitTermination(10, TimeUnit.SECONDS) ? 0 : 1);
    });
    check("parallel stream", 499999500000L, () -> LongStream.range(0, 1000000).parallel().sum());
    check("wait, notify, interrupt", "interrupted", () -> {
      Thread t = new Thread(() -> { try { Thread.sleep(100000); } catch (InterruptedException e) { Thread.currentThread().setName("interrupted"); } });
      t.start(); t.interrupt();
      t.join();
      return t.getName();
    });
    check("garbage", true, () -> {
      long total = 0;
      for (int i = 0; i < 3000; i++) total += new byte[100000].length;
      System.gc();
      return total == 300000000L && Runtime.getRuntime().availableProcessors() >= 1;
    });
    check("stack overflow", true, () -> { try { deep(0); return false; } catch (StackOverflowError e) { return true; } });
    check("null pointer", true, () -> { for (int i = 0; i < 20000; i++) try { ((String) (i < 0 ? "" : null)).length(); return false; } catch (NullPointerException e) { } return true; });
    check("files", "[a, b]", () -> {
      Files.writeString(dir.resolve("a"), "text");
      Files.copy(dir.resolve("a"), dir.resolve("b"));
      Files.setPosixFilePermissions(dir.resolve("b"), PosixFilePermissions.fromString("rw-r-----"));
      Files.createSymbolicLink(dir.resolve("l"), Path.of("a"));
      Files.move(dir.resolve("l"), dir.resolve("m"));
      if (!Files.readString(dir.resolve("m")).equals("text")) return "m";
      Files.delete(dir.resolve("m"));
      try (Stream<Path> s = Files.list(dir)) { return s.map(p -> p.getFileName().toString()).sorted().toList().toString(); }
    });
    check("mapped file", 42, () -> {
      try (FileChannel c = FileChannel.open(dir.resolve("map"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 100000);
        m.putInt(50000, 42);
        m.force();
        ByteBuffer b = ByteBuffer.allocate(4);
        c.read(b, 50000);
        return b.getInt(0);
      }
    });
    check("lock", true, () -> {
      try (FileChannel c = FileChannel.open(dir.resolve("map"), StandardOpenOption.WRITE); FileLock l = c.lock()) { return l.isValid(); }
    });
    check("process", "3 <in> err", () -> {
      Process p = new ProcessBuilder("sh", "-c", "read x; echo \"<$x>\"; echo err >&2; exit 3").redirectErrorStream(true).start();
      try (Writer w = p.outputWriter()) { w.write("in\n"); }
      String out = new String(p.getInputStream().readAllBytes()).trim().replace('\n', ' ');
      return p.waitFor() + " " + out;
    });
    check("destroy", 143, () -> { Process p = new ProcessBuilder("sleep", "100").start(); p.destroy(); return p.waitFor(); });
    check("no such program", "error=2", () -> { try { new ProcessBuilder("/no/such").start(); return ""; } catch (IOException e) { return e.getMessage().replaceAll(".*(error=\\d+).*", "$1"); } });
    check("own process", true, () -> ProcessHandle.current().info().command().orElse("").endsWith("/java"));
    check("sockets", "OLLEH", () -> {
      try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
        Thread t = new Thread(() -> {
          try (Socket s = server.accept(); BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream()))) {
            s.getOutputStream().write((new StringBuilder(in.readLine()).reverse() + "\n").toUpperCase().getBytes());
          } catch (IOException e) { throw new UncheckedIOException(e); }
        });
        t.start();
        try (Socket c = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort()); BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream()))) {
          c.getOutputStream().write("hello\n".getBytes());
          return in.readLine();
        }
      }
    });
    check("selector", 5, () -> {
      try (Selector selector = Selector.open(); ServerSocketChannel server = ServerSocketChannel.open()) {
        server.bind(new InetSocketAddress("127.0.0.1", 0)).configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        List<SocketChannel> clients = new ArrayList<>();
        for (int i = 0; i < 5; i++) clients.add(SocketChannel.open(server.getLocalAddress()));
        int accepted = 0;
        while (accepted < 5 && selector.select(10000) > 0) {
          for (SocketChannel s; (s = server.accept()) != null; accepted++) s.close();
          selector.selectedKeys().clear();
        }
        for (SocketChannel c : clients) c.close();
        return accepted;
      }
    });
    check("watch", "made", () -> {
      try (WatchService w = dir.getFileSystem().newWatchService()) {
        dir.register(w, StandardWatchEventKinds.ENTRY_CREATE);
        Files.createFile(dir.resolve("made"));
        WatchKey k = w.poll(20, TimeUnit.SECONDS);
        return k == null ? null : k.pollEvents().get(0).context().toString();
      }
    });
    try (Stream<Path> s = Files.walk(dir)) { s.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete()); }
    System.exit(failed ? 1 : 0);
  }
  static int deep(int n) { return deep(n + 1) + 1; }
}
