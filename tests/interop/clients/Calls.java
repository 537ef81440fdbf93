import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

/** Drives a list of calls with Java's HttpClient. Arguments: the file of calls, then base URLs. Formats: see calls.py. */
public class Calls {
    public static void main(String[] arguments) throws Exception {
        // The default version: over plain HTTP it asks for an upgrade to h2c, which a proxy must not pass on.
        HttpClient client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).build();
        for (int index = 1; index < arguments.length; index++) {
            for (String line : Files.readAllLines(Path.of(arguments[0]))) {
                String[] call = line.split("\t", -1);
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(arguments[index] + call[2]));
                for (String field : text(call[3]).split("\n")) {
                    if (field.equals("Expect: 100-continue")) {
                        request.expectContinue(true);
                    } else if (!field.isEmpty()) {
                        String[] pair = field.split(": ?", 2);
                        request.header(pair[0], pair[1]);
                    }
                }
                byte[] body = call[4].equals("-") ? null : Base64.getDecoder().decode(call[4]);
                request.method(call[1], body == null ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(body));
                var answer = client.send(request.build(), BodyHandlers.ofByteArray());
                StringBuilder seen = new StringBuilder();
                answer.headers().map().forEach((name, values) -> values.forEach(value -> seen.append(name).append(": ").append(value).append("\n")));
                String headers = Base64.getEncoder().encodeToString(seen.toString().getBytes(StandardCharsets.ISO_8859_1));
                System.out.println(String.join("\t", call[0], "" + answer.statusCode(), headers, Base64.getEncoder().encodeToString(answer.body())));
            }
        }
    }

    private static String text(String encoded) {
        return new String(Base64.getDecoder().decode(encoded), StandardCharsets.ISO_8859_1);
    }
}
