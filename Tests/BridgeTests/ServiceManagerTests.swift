// What the service manager is told, over a real datagram socket.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop) struct ServiceManagerTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  /// A socket as a service manager has one.
  private final class Inbox {
    private let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)

    init(path: String) throws {
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      let status = withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(status == 0)
    }

    deinit { close(descriptor) }

    /// The messages that have come since the last look.
    func messages() -> [String] {
      var result: [String] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return result }
        result.append(String(decoding: buffer[..<count], as: UTF8.self))
      }
    }
  }

  @Test @LoopActor func theWatchdogIsFedFromReadinessToTheEnd() async throws {
    let inbox = try Inbox(path: directory.file("notify"))
    let manager = ServiceManager(environment: [
      "NOTIFY_SOCKET": directory.file("notify"), "WATCHDOG_USEC": "4000",
    ])
    #expect(inbox.messages().isEmpty)
    manager.ready("Serving")
    #expect(inbox.messages() == ["READY=1\nSTATUS=Serving"])
    var fed: [String] = []
    while fed.count < 3 {
      await Loop.sleep(.milliseconds(1))
      fed += inbox.messages()
    }
    #expect(Set(fed) == ["WATCHDOG=1"])
    manager.stopping()
    manager.close()
    #expect(inbox.messages().last?.hasPrefix("STOPPING=1") == true)
  }

  /// A watchdog of another process, none, or one without a limit.
  @Test(arguments: [["WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"], [:], ["WATCHDOG_USEC": "0"]])
  @LoopActor func aWatchdogThatIsNotOursIsNotFed(_ environment: [String: String]) async throws {
    let inbox = try Inbox(path: directory.file("notify"))
    let manager = ServiceManager(
      environment: environment.merging(["NOTIFY_SOCKET": directory.file("notify")]) { $1 })
    manager.ready("Serving")
    await Loop.sleep(.milliseconds(10))
    manager.stopping()
    manager.close()
    #expect(inbox.messages().map { $0.prefix { $0 != "=" } } == ["READY", "STOPPING"])
  }
}
