import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/**
 * Decodes records as a subscriber does: reads lines of {@code <message> <base64>}, and prints each message as a line of JSON.
 *
 * <p>{@code java Decode.java DESCRIPTOR_SET RECORDS}
 */
final class Decode {
    public static void main(String[] arguments) throws Exception {
        Map<String, Descriptor> messages = load(Path.of(arguments[0]));
        JsonFormat.Printer printer = JsonFormat.printer().omittingInsignificantWhitespace();
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            String[] parts = line.split(" ");
            byte[] payload = parts.length == 2 ? Base64.getDecoder().decode(parts[1]) : new byte[0];
            out.println(printer.print(DynamicMessage.parseFrom(messages.get(parts[0]), payload)));
        }
        out.flush();
    }

    private static Map<String, Descriptor> load(Path descriptorSet) throws Exception {
        Map<String, FileDescriptor> files = new HashMap<>();
        Map<String, Descriptor> messages = new HashMap<>();
        for (FileDescriptorProto schema : FileDescriptorSet.parseFrom(Files.readAllBytes(descriptorSet)).getFileList()) {
            FileDescriptor[] imported = schema.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
            FileDescriptor file = FileDescriptor.buildFrom(schema, imported);
            files.put(schema.getName(), file);
            for (Descriptor message : file.getMessageTypes()) {
                messages.put(message.getFullName(), message);
            }
        }
        return messages;
    }
}
