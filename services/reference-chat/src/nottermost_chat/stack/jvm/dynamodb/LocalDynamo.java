import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * DynamoDB Local on 127.0.0.1. It has no flag for the address and would listen on every interface, so its web server,
 * a private field, gets the host before it starts. Arguments: DynamoDB Local's own.
 */
public final class LocalDynamo {
  public static void main(String[] arguments) throws Exception {
    DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(arguments);
    Connector[] connectors = webServerOf(local).getConnectors();
    if (connectors.length == 0) throw new IllegalStateException("no connector yet: it would listen on every interface");
    for (Connector connector : connectors) ((ServerConnector) connector).setHost("127.0.0.1");
    local.start();
    local.join();
  }

  private static Server webServerOf(DynamoDBProxyServer local) throws ReflectiveOperationException {
    Field field = DynamoDBProxyServer.class.getDeclaredField("server");
    field.setAccessible(true);
    return (Server) field.get(local);
  }
}
