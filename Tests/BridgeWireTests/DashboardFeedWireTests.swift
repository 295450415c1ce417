// The live feed of the dashboard over real connections: who is told what, and when it costs nothing.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct DashboardFeedWireTests {
  /// A feed of facts that the test changes.
  @LoopActor
  private final class Show {
    var facts = JSONObject([.init(key: "step", value: 0)])
    var isEnding = false
    /// How often the facts were asked for.
    private(set) var lookCount = 0
    private(set) var feed: DashboardFeed
    private var server: TestServer?

    private init() throws {
      feed = DashboardFeed(facts: { _ in JSONObject() }, isEnding: { false }, keyCount: 1)
      feed = DashboardFeed(
        facts: { [weak self] _ in
          self?.lookCount += 1
          return self?.facts ?? JSONObject()
        },
        isEnding: { [weak self] in self?.isEnding ?? true }, keyCount: 1)
      server = try TestServer { [feed] request, writer in
        writer.begin(status: 200, fields: EventStream.fields)
        await feed.serve(request, writer)
      }
    }

    static func run(_ body: @LoopActor (Show) async throws -> Void) async throws {
      let show = try Show()
      do {
        try await body(show)
      } catch {
        show.server?.stop()
        throw error
      }
      await show.server?.stopWhenLeft()
      #expect(show.feed.viewerCount == 0)
    }

    func join() async throws -> TestClient {
      let client = try await TestClient.connect(port: server?.port ?? 0)
      client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      return client
    }
  }

  /// The events that have come whole, each in a chunk of its own; comments as nil.
  @LoopActor
  private static func events(_ client: TestClient) -> [JSONValue?] {
    client.text.split(separator: "\r\n").compactMap { line in
      guard line.hasSuffix("\n\n") else { return nil }
      guard line.hasPrefix("data: ") else { return .some(nil) }
      return try? JSONValue(parsing: String(line.dropFirst(6).dropLast(2)))
    }
  }

  @LoopActor
  private static func steps(_ client: TestClient) -> [Int] { events(client).compactMap { $0?["step"]?.intValue } }

  @Test @LoopActor
  func aViewerGetsTheStateAtOnceAndThenItsChanges() async throws {
    try await Show.run { show in
      let before = unixTime()
      let client = try await show.join()
      #expect(await eventually { Self.steps(client) == [0] })
      #expect((before...unixTime()).contains(Self.events(client).first??["now"]?.intValue ?? 0))
      show.facts["step"] = 1
      #expect(await eventually { Self.steps(client) == [0, 1] })
      client.close()
    }
  }

  @Test @LoopActor
  func whatDoesNotChangeIsNotSentAgain() async throws {
    try await Show.run { show in
      let client = try await show.join()
      #expect(await eventually { show.lookCount >= 3 })
      #expect(Self.steps(client) == [0])
      #expect(Self.events(client).count == 1)
      client.close()
    }
  }

  @Test @LoopActor
  func allViewersGetTheSameEventsFromOneLook() async throws {
    try await Show.run { show in
      var clients: [TestClient] = []
      for _ in 0..<5 { clients.append(try await show.join()) }
      #expect(await eventually { clients.allSatisfy { Self.steps($0) == [0] } })
      #expect(show.feed.viewerCount == 5)
      let before = show.lookCount
      show.facts["step"] = 1
      #expect(await eventually { clients.allSatisfy { Self.steps($0) == [0, 1] } })
      #expect(show.lookCount == before + 1)
      #expect(Set(clients.map { Self.events($0).map { $0?.jsonText } }).count == 1)
      for client in clients { client.close() }
    }
  }

  @Test @LoopActor
  func nobodyLooksWhenNobodyWatches() async throws {
    try await Show.run { show in
      #expect(show.lookCount == 0)
      let client = try await show.join()
      #expect(await eventually { Self.steps(client) == [0] })
      client.close()
      #expect(await eventually { show.feed.viewerCount == 0 })
      let before = show.lookCount
      // A timer that went on would look once a second.
      await Loop.sleep(.milliseconds(1200))
      #expect(show.lookCount == before)
    }
  }

  @Test @LoopActor
  func theFeedEndsWithTheServer() async throws {
    try await Show.run { show in
      let client = try await show.join()
      #expect(await eventually { Self.steps(client) == [0] })
      show.isEnding = true
      #expect(await eventually { client.text.hasSuffix("\r\n0\r\n\r\n") })
      client.close()
    }
  }

  @Test @LoopActor
  func itIsFullWithSoManyViewers() async throws {
    try await Show.run { show in
      var clients: [TestClient] = []
      for _ in 0..<DashboardFeed.maxViewers { clients.append(try await show.join()) }
      #expect(await eventually { !show.feed.hasRoom(for: .everybody) })
      clients.removeFirst().close()
      #expect(await eventually { show.feed.hasRoom(for: .everybody) })
      for client in clients { client.close() }
    }
  }

  @Test(arguments: [(1, 32), (2, 16), (5, 6), (32, 1), (100, 1)]) @LoopActor
  func eachKeyHasTheSameShare(_ keys: Int, _ share: Int) {
    let feed = DashboardFeed(facts: { _ in JSONObject() }, isEnding: { false }, keyCount: keys)
    #expect(feed.maxViewersPerKey == share)
  }

  /// What came while it could not read is of no use to it, the newest is; and nobody waits for it.
  @Test @LoopActor
  func aSlowViewerMissesWhatCameInBetweenAndNeverTheNewest() async throws {
    // More than the sockets of both sides take; a number, since text would be looked through for what must be escaped.
    let padding = String(repeating: "1", count: 4 << 20)
    func step(_ number: Int) -> JSONObject {
      JSONObject([.init(key: "padding", value: .number(padding)), .init(key: "step", value: .int(number))])
    }
    func hasSeen(_ number: Int, _ client: TestClient) -> Bool {
      String(decoding: client.received.suffix(60), as: UTF8.self).contains("\"step\":\(number),")
    }
    try await Show.run { show in
      show.facts = step(0)
      let slow = try await show.join()
      let quick = try await show.join()
      #expect(await eventually { hasSeen(0, slow) && hasSeen(0, quick) })
      slow.pauseReading()
      for number in 1...5 {
        show.facts = step(number)
        #expect(await eventually { hasSeen(number, quick) })
      }
      slow.resumeReading()
      #expect(await eventually { hasSeen(5, slow) })
      #expect(quick.received.count > 6 * padding.utf8.count)
      #expect(slow.received.count < quick.received.count - padding.utf8.count)
      slow.close()
      quick.close()
    }
  }
}
