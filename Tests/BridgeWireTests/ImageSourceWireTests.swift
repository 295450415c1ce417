// Where images may be fetched from: no spelling, name or redirect leads into this machine or its network.

import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ImageSourceWireTests {
  private static let png = [UInt8](Data(base64Encoded: String(TestImage.base64)) ?? Data())

  /// A server that no image may come from.
  @LoopActor
  private final class Inside {
    private(set) var visits = 0
    private var server: TestServer?
    var port: Int { server?.port ?? 0 }

    init(host: String = "127.0.0.1") throws {
      server = try TestServer(host: host) { [weak self] _, writer in
        self?.visits += 1
        writer.send(Response(body: png))
      }
    }

    func stop() async { await server?.stopWhenLeft() }
  }

  // MARK: What a request may name

  /// Hosts as they stand in URLs, brackets included.
  private static let loopback = [
    "127.0.0.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1", "0x7F000001", "017700000001",
    "2130706433",
    "127.255.255.254", "127.0.0.01", "0.0.0.0", "0", "00", "localhost", "LocalHost", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::]", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[::1%25lo]", "%31%32%37.0.0.1",
    "127.0.0.1%00.example.com", "１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①",
  ]
  private static let metadata = [
    "169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "0xA9.0xFE.0xA9.0xFE", "169.254.43518",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "169.254.170.2", "100.100.100.200", "192.0.0.192",
  ]
  private static let network = [
    "10.0.0.1", "10.1", "0xa000001", "172.16.0.1", "172.31.255.254", "192.168.0.1", "0xc0.0xa8.1", "100.64.0.1",
    "198.18.0.1", "224.0.0.1", "255.255.255.255", "[fc00::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]",
    "[ff02::1]",
    "[::ffff:10.0.0.1]", "[2001::1]",
  ]
  /// With a port in its place, to be told from a port that is only not open.
  private static let disguises = [
    "http://8.8.8.8@127.0.0.1:PORT/", "http://8.8.8.8:80@127.0.0.1:PORT/", "http://user:password@127.0.0.1:PORT/",
    "https://user@8.8.8.8/", "http://127.0.0.1:PORT\\@8.8.8.8/", "http://@127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "http:127.0.0.1:PORT", "http:///127.0.0.1:PORT/", "//127.0.0.1:PORT/", " http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT /", "http://\t127.0.0.1:PORT/", "http://127.0.0.1\r\nHost: 8.8.8.8/",
    "http://[127.0.0.1]:PORT/",
    "http://[::1]@8.8.8.8:PORT/", "HTTP://127.0.0.1:PORT/", "http://127.0.0.1:0PORT/",
    "http://127.0.0.1:PORT?@8.8.8.8/",
    "http://127.0.0.1:PORT#@8.8.8.8/", "url:http://127.0.0.1:PORT/", "view-source:http://127.0.0.1:PORT/",
  ]
  private static let schemes = [
    "ftp", "ftps", "gopher", "dict", "ldap", "ldaps", "tftp", "sftp", "scp", "smb", "imap", "pop3", "smtp",
    "telnet",
    "rtsp", "ws", "wss", "jar", "netdoc", "unix", "http+unix", "javascript", "about", "chrome",
  ].map { "\($0)://127.0.0.1:PORT/" }
  private static let files = [
    "file:///etc/passwd", "FILE:///etc/passwd", "file://127.0.0.1/etc/passwd", "file://localhost/etc/passwd",
    "file:///proc/self/environ", "file:///dev/zero", "file:///%2e%2e/etc/passwd", "file:etc/passwd",
  ]

  private static let table =
    (loopback + metadata + network).map { "http://\($0):PORT/x.png" } + disguises + schemes + files

  @Test func theTableIsLong() {
    #expect(Self.table.count == 118)
    #expect(Set(Self.table).count == Self.table.count)
  }

  @Test @LoopActor func nothingInTheTableIsFetched() async throws {
    let inside = try Inside()
    for entry in Self.table {
      let url = entry.replacing("PORT", with: String(inside.port))
      let part: JSONValue = ["type": "image_url", "image_url": ["url": .string(url)]]
      let chat = try ChatRequest(["messages": [["role": "user", "content": [part]]]], userIsSession: false)
      let resolver = ImageResolver(configuration: try Configuration(sources: []))
      do throws(ImageError) {
        _ = try await resolver.resolve(chat.ask, for: Request.test("r"))
        Issue.record("was fetched: \(url)")
      } catch {
        let told = APIError(error)
        #expect(told.status == 400 && told.code == "invalid_image", "\(url): \(told.message)")
      }
    }
    #expect(inside.visits == 0)
    await inside.stop()
  }

  // MARK: What a name or a server may say

  /// 127.0.0.1 stands for the public Internet, where the server redirects to the path it is asked for after `/to/`;
  /// the other address is inside.
  @LoopActor
  private func withOutside(_ body: @LoopActor (_ port: Int, _ inside: Inside) async throws -> Void) async throws {
    let inside = try Inside(host: "127.0.0.2")
    let outside = try TestServer { request, writer in
      let path = request.head.path
      guard path.hasPrefix("/to/") else { return writer.send(Response(body: Self.png)) }
      let status = Int(path.dropFirst(4).prefix(3)) ?? 302
      writer.send(Response(status: status, fields: ["Location": String(path.dropFirst(8))]))
    }
    try await body(outside.port, inside)
    #expect(inside.visits == 0)
    await outside.stopWhenLeft()
    await inside.stop()
  }

  /// Fetches with names that lead to these addresses in turn, the last of them for ever.
  @LoopActor
  private func fetch(_ url: String, _ answers: [[String]] = []) async throws -> [UInt8] {
    let names = Names(answers)
    let reach = RemoteImage.Reach(
      addresses: { host, port in
        let hosts = host.hasSuffix(".invalid") ? names.next() : [host]
        return hosts.flatMap { (try? SocketAddress.resolve(host: $0, port: port)) ?? [] }
      }, admits: { $0 == [127, 0, 0, 1] })
    return try await RemoteImage(maxBytes: 10_000, timeout: .seconds(30), reach: reach).fetch(url)
  }

  /// Who saves a session, or reads a large request, needs a thread of the pool too.
  @Test @LoopActor
  func slowNameServersLeaveThreadsToOthers() async {
    let running = Running()
    let images = RemoteImage(
      maxBytes: 1, timeout: .seconds(30),
      reach: .init(addresses: { _, _ in
        running.enter()
        usleep(20_000)
        running.leave()
        return []
      }))
    await withDiscardingTaskGroup { group in
      for _ in 0..<8 { group.addTask { _ = try? await images.fetch("http://slow.invalid/") } }
    }
    #expect(running.most.load(ordering: .relaxed) == 2)
  }

  private final class Running: Sendable {
    let now = Atomic<Int>(0)
    let most = Atomic<Int>(0)

    func enter() {
      let count = now.add(1, ordering: .relaxed).newValue
      most.max(count, ordering: .relaxed)
    }

    func leave() { now.subtract(1, ordering: .relaxed) }
  }

  /// The answers of a name server, asked one after the other.
  private final class Names: @unchecked Sendable {
    private var answers: [[String]]

    init(_ answers: [[String]]) { self.answers = answers }

    func next() -> [String] { answers.count > 1 ? answers.removeFirst() : answers.first ?? [] }
  }

  /// What is checked is what is connected to, whatever the name says by then.
  @Test @LoopActor func aNameThatChangesIsUsedAsItWasChecked() async throws {
    try await withOutside { port, _ in
      let image = try await fetch("http://changing.invalid:\(port)/", [["127.0.0.1"], ["127.0.0.2"]])
      #expect(image == Self.png)
    }
  }

  @Test @LoopActor func aNameThatAlsoLeadsInsideIsRefused() async throws {
    try await withOutside { port, inside in
      for (answers, port) in [
        (["127.0.0.1", "127.0.0.2"], port), (["127.0.0.2", "127.0.0.1"], inside.port),
        (["127.0.0.1", "::1"], port),
        (["127.0.0.2"], inside.port), ([], port),
      ] {
        await #expect(throws: ImageFailure.self, "\(answers)") {
          try await fetch("http://both.invalid:\(port)/", [answers])
        }
      }
    }
  }

  @Test @LoopActor func aRedirectToANameThatHasChangedIsRefused() async throws {
    try await withOutside { port, inside in
      for target in [port, inside.port] {
        await #expect(throws: ImageFailure.self) {
          try await fetch(
            "http://changing.invalid:\(port)/to/302/http://changing.invalid:\(target)/",
            [["127.0.0.1"], ["127.0.0.2"]])
        }
      }
    }
  }

  @Test(arguments: [301, 302, 303, 307, 308]) @LoopActor
  func aRedirectInsideIsRefused(_ status: Int) async throws {
    try await withOutside { port, inside in
      let base = "http://127.0.0.1:\(port)"
      let followed = try await fetch("\(base)/to/\(status)/\(base)/x.png")
      #expect(followed == Self.png, "what is outside is followed to")
      for target in [
        "http://127.0.0.2:PORT/", "//127.0.0.2:PORT/", "http://0x7f.2:PORT/", "http://2130706434:PORT/",
        "http://[::ffff:127.0.0.2]:PORT/", "http://[::1]:PORT/", "http://localhost:PORT/",
        "http://user@127.0.0.1:PORT/",
        "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "ftp://127.0.0.2:PORT/",
        "gopher://127.0.0.2:PORT/_x",
        "dict://127.0.0.2:PORT/x", "data:image/png;base64,\(TestImage.base64)",
        "\(base)/to/302/http://127.0.0.2:PORT/",
      ] {
        let location = target.replacing("PORT", with: String(inside.port))
        await #expect(throws: ImageFailure.self, "\(location)") {
          try await fetch("\(base)/to/\(status)/\(location)")
        }
      }
    }
  }
}
