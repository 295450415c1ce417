// The rival of `requests`: a fixed text for each path that is given, on one event-loop thread like the bridge.

import Hummingbird
import Logging
import NIOPosix

@main
struct HummingbirdPeer {
  /// Arguments: the port, then a path and its text, and so on.
  static func main() async throws {
    var arguments = CommandLine.arguments.dropFirst()
    guard let port = arguments.popFirst().flatMap({ Int($0) }) else { fatalError("no port") }
    let router = Router()
    while let path = arguments.popFirst(), let text = arguments.popFirst() {
      let body = ByteBuffer(string: text)
      router.get(RouterPath(path)) { _, _ in
        Response(
          status: .ok, headers: [.contentType: "application/json"],
          body: ResponseBody(byteBuffer: body))
      }
    }
    var logger = Logger(label: "peer")
    logger.logLevel = .error
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
      eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup(numberOfThreads: 1)),
      logger: logger
    )
    try await application.runService()
  }
}
