import java.io.FileReader;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringReader;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/**
 * Run as a program: a TLS server on the Java runtime's own JSSE. Arguments: port, PEM file, options.
 *
 * Options: "old" (everything that the runtime has and disables), "client-order".
 */
class JsseServer {
    static final byte[] ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".getBytes();

    public static void main(String[] arguments) throws Exception {
        var options = java.util.Set.of(arguments).stream().toList();
        if (options.contains("old")) {
            Security.setProperty("jdk.tls.disabledAlgorithms", "");
            Security.setProperty("jdk.tls.legacyAlgorithms", "");
            Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        }
        var factory = context(Path.of(arguments[1])).getServerSocketFactory();
        int port = Integer.parseInt(arguments[0]);
        var server = (SSLServerSocket) factory.createServerSocket(port, 50, InetAddress.getLoopbackAddress());
        var parameters = server.getSSLParameters();
        parameters.setUseCipherSuitesOrder(!options.contains("client-order"));
        server.setSSLParameters(parameters);
        if (options.contains("old")) {
            server.setEnabledProtocols(server.getSupportedProtocols());
            server.setEnabledCipherSuites(server.getSupportedCipherSuites());
        }
        ExecutorService threads = Executors.newCachedThreadPool();
        while (true) {
            var connection = (SSLSocket) server.accept();
            threads.execute(() -> serve(connection));
        }
    }

    static SSLContext context(Path file) throws Exception {
        String text = Files.readString(file);
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("server", key(text), new char[0], certificates(text));
        var managers = KeyManagerFactory.getInstance("SunX509");
        managers.init(store, new char[0]);
        var context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }

    static byte[] block(Matcher found) {
        return Base64.getMimeDecoder().decode(found.group(1));
    }

    static PrivateKey key(String text) throws Exception {
        var found = Pattern.compile("-----BEGIN PRIVATE KEY-----(.*?)-----END", Pattern.DOTALL).matcher(text);
        found.find();
        var spec = new PKCS8EncodedKeySpec(block(found));
        for (String kind : new String[] {"RSA", "EC", "Ed25519"}) {
            try {
                return KeyFactory.getInstance(kind).generatePrivate(spec);
            } catch (java.security.spec.InvalidKeySpecException other) {
                continue;
            }
        }
        throw new IllegalArgumentException("a key of an unknown kind");
    }

    static Certificate[] certificates(String text) throws Exception {
        var factory = CertificateFactory.getInstance("X.509");
        var found = Pattern.compile("-----BEGIN CERTIFICATE-----(.*?)-----END", Pattern.DOTALL).matcher(text);
        var all = new java.util.ArrayList<Certificate>();
        while (found.find()) {
            all.add(factory.generateCertificate(new java.io.ByteArrayInputStream(block(found))));
        }
        return all.toArray(new Certificate[0]);
    }

    static void serve(SSLSocket connection) {
        try (connection; InputStream in = connection.getInputStream(); OutputStream out = connection.getOutputStream()) {
            connection.setSoTimeout(5000);
            if (in.read() >= 0) {
                out.write(ANSWER);
                out.flush();
            }
        } catch (java.io.IOException refused) {
            // Most connections of a scanner end before the handshake is complete.
        }
    }
}
