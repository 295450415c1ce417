// The executor and the connections under load: nothing hangs, nothing is lost, doubled or crossed.

import Glibc
import Synchronization
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct LoopStressTests {
  @LoopActor
  private final class Tally {
    var done = 0
    let wait = Waiter<Void>()
    let goal: Int
    init(goal: Int) { self.goal = goal }

    func add() {
      done += 1
      if done == goal { wait.finish() }
    }
  }

  /// Tasks from several threads and from the loop itself, each of which waits for others in every way there is.
  @Test @LoopActor
  func thousandsOfTasksFromManyThreadsAllComplete() async {
    let threads = 4
    let perThread = 1500
    let tally = Tally(goal: threads * perThread * 2)
    let gates = (0..<50).map { _ in Waiter<Void>() }
    for thread in 0..<threads {
      Thread.start {
        for number in 0..<perThread {
          Loop.spawn {
            await Self.wander(number + thread, gates[number % gates.count])
            // And one born on the loop.
            Loop.spawn {
              await Self.wander(number, gates[(number + 1) % gates.count])
              tally.add()
            }
            tally.add()
          }
          if number % 100 == 0 { sched_yield() }
        }
      }
    }
    for gate in gates {
      await Loop.nextTurn()
      gate.finish()
    }
    let alarm = LoopTimer { tally.wait.finish() }
    alarm.start(after: .seconds(30))
    await tally.wait.value()
    alarm.close()
    #expect(tally.done == tally.goal)
  }

  @LoopActor
  private static func wander(_ number: Int, _ gate: Waiter<Void>) async {
    switch number % 4 {
    case 0: await gate.value()
    case 1: await Loop.sleep(.zero)
    case 2: #expect(await Loop.offLoop { number * 2 } == number * 2)
    default:
      let inner = Waiter<Void>()
      Loop.spawn { inner.finish() }
      await inner.value()
    }
    await gate.value()
    LoopActor.assertIsolated()
  }

  @Test @LoopActor
  func sleepsEndWhenTheirTaskIsCancelled() async {
    let tally = Tally(goal: 500)
    let tasks = (0..<500).map { _ in
      Loop.spawn {
        await Loop.sleep(.seconds(3600))
        tally.add()
      }
    }
    await Loop.nextTurn()
    for task in tasks { task.cancel() }
    #expect(await eventually { tally.done == 500 })
  }

  @Test @LoopActor
  func jobsThatMakeJobsDoNotStarveTheSockets() async throws {
    let server = try TestServer { _, writer in writer.send(Response(body: Array("ok".utf8))) }
    let isOver = Waiter<Void>()
    for _ in 0..<10 {
      Loop.spawn { while !isOver.isFinished { await Task.yield() } }
    }
    let response = try await TestClient.exchange(port: server.port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    isOver.finish()
    #expect(response?.body == "ok")
    await server.stopWhenLeft()
  }

  /// What is due meanwhile does not wait for the last of them.
  @Test @LoopActor
  func manyJobsDoNotStarveTheTimers() async {
    let tally = Tally(goal: 400)
    var doneWhenDue: Int?
    let timer = LoopTimer { doneWhenDue = tally.done }
    timer.start(after: .milliseconds(1))
    for _ in 0..<tally.goal {
      Loop.spawn {
        usleep(500)
        tally.add()
      }
    }
    await tally.wait.value()
    timer.close()
    #expect((doneWhenDue ?? tally.goal) < tally.goal)
  }

  /// More than are accepted in one turn of the loop, which does not turn while they come.
  @Test @LoopActor
  func hundredsOfConnectionsThatComeAtOnceAreAllAccepted() async throws {
    let server = try TestServer { _, writer in writer.send(Response(body: Array("ok".utf8))) }
    let clients = (0..<300).map { _ in connectedSocket(port: server.port) }
    #expect(await eventually { server.connectionCount == clients.count })
    for client in clients { close(client) }
    await server.stopWhenLeft()
  }

  /// However much the child still has to say, and although it spoke first.
  @Test @LoopActor
  func whoSendsWhileAChildIsReadIsReadNext() async throws {
    @LoopActor
    final class Order {
      var readers: [String] = []
    }
    let order = Order()
    let pipe = try TestPipe()
    defer { pipe.close() }
    try await withConnections(1) { streams, clients in
      pipe.fill()
      pipe.reader.onRead = { _ in
        if order.readers.isEmpty { #expect(send(clients[0], "!", 1, 0) == 1) }
        order.readers.append("child")
        pipe.fill()
        // Longer than pipes are read in a turn of the loop, which begins after the first read.
        if order.readers.count < 4 { usleep(5000) }
      }
      streams[0].onRead = { _ in order.readers.append("client") }
      pipe.reader.startReading()
      streams[0].startReading()
      #expect(await eventually { order.readers.contains("client") })
      #expect(order.readers.prefix(3) == ["child", "child", "client"])
    }
  }

  /// libuv still waits to write to it while its input rests.
  @Test @LoopActor
  func aPeerThatFloodsAndReadsNothingDoesNoHarm() async throws {
    @LoopActor
    final class Count {
      var bytes = 0
    }
    let received = Count()
    try await withConnections(1) { streams, clients in
      let stream = streams[0]
      let sent = flood(clients[0])
      stream.onRead = { bytes in
        received.bytes += bytes.count
        usleep(3000)
      }
      // Far more than the system takes.
      stream.write { $0.append([UInt8](repeating: 0, count: 16 << 20)) }
      await Loop.sleep(.milliseconds(20))
      #expect(stream.unsentBytes > 0)
      stream.startReading()
      #expect(await eventually { received.bytes == sent })
    }
  }

  /// What connections do, in its order.
  @LoopActor
  private final class Course {
    var steps: [String] = []
  }

  /// Their processor is woken once and not for each, but none of them waits for more than a few.
  @Test @LoopActor
  func answersThatNeedNoWaitingLeaveTogether() async throws {
    let course = Course()
    try await withConnections(100) { streams, clients in
      for stream in streams {
        stream.onRead = { [unowned stream] _ in
          course.steps.append("read")
          stream.write("!")
        }
        stream.onFlushed = { course.steps.append("answered") }
      }
      var most = 0
      // On a slow machine a turn may have lasted too long for any to wait.
      for _ in 0..<20 where most < 2 {
        course.steps = []
        for client in clients { #expect(send(client, "?", 1, 0) == 1) }
        for stream in streams { stream.startReading() }
        #expect(await eventually { course.steps.count == 200 })
        most = course.steps.split(separator: "answered").map(\.count).max() ?? 0
      }
      #expect((2...64).contains(most))
    }
  }

  /// Streams that go on and on are sent to in several turns of the loop.
  @Test @LoopActor
  func answersThatNeedNoWaitingGoBeforeEverythingElse() async throws {
    let course = Course()
    try await withConnections(200) { streams, clients in
      let asked = streams[0]
      asked.onRead = { [unowned asked] _ in asked.write("!") }
      asked.onFlushed = { course.steps.append("answer") }
      #expect(send(clients[0], "?", 1, 0) == 1)
      asked.startReading()
      for stream in streams.dropFirst() {
        stream.onFlushed = { course.steps.append("token") }
        stream.write("a token")
      }
      #expect(await eventually { course.steps.count == 200 })
      #expect(course.steps.firstIndex(of: "answer").map { $0 <= 16 } == true)
    }
  }

  /// Runs `body` with connections that are not read from yet, and the sockets of their clients in the same order.
  @LoopActor
  private func withConnections(
    _ count: Int,
    _ body: @LoopActor ([ByteStream], [Int32]) async throws -> Void
  ) async throws {
    @LoopActor
    final class Accepted {
      var streams: [ByteStream] = []
    }
    let accepted = Accepted()
    let listener = try Listener(
      on: SocketAddress.resolve(host: "127.0.0.1", port: 0)[0],
      onConnection: { accepted.streams.append($0) }, onAcceptFailure: { _ in })
    defer { listener.close() }
    let port = try #require(listener.address?.port)
    let clients = (0..<count).map { _ in connectedSocket(port: port) }
    defer {
      for stream in accepted.streams { stream.close() }
      for client in clients { close(client) }
    }
    try #require(await eventually { accepted.streams.count == count })
    try await body(accepted.streams, clients)
  }

  /// Sends as much as the system takes, and returns how much that is.
  private func flood(_ client: Int32) -> Int {
    let bytes = [UInt8](repeating: 0, count: 1 << 20)
    let sent = send(client, bytes, bytes.count, Int32(MSG_DONTWAIT))
    #expect(sent > 128 << 10)
    return sent
  }

  @Test @LoopActor
  func thousandsOfConnectionsComeAndGo() async throws {
    let server = try TestServer { request, writer in writer.send(Response(body: Array(request.head.path.utf8))) }
    for round in 0..<20 {
      var clients: [TestClient] = []
      for number in 0..<100 {
        let client = try await TestClient.connect(port: server.port)
        // Some say nothing, some half a request, some leave before they have read their answer.
        if number % 4 != 0 { client.send("GET /\(round)-\(number) HTTP/1.1\r\nHost: localhost\r\n") }
        if number % 4 > 1 { client.send("\r\n") }
        clients.append(client)
      }
      for (number, client) in clients.enumerated() {
        if number % 4 == 3 { #expect(await client.responses(1).first?.body == "/\(round)-\(number)") }
        client.close()
      }
    }
    await server.stopWhenLeft()
  }

  @Test @LoopActor
  func hundredsOfStreamsKeepTheirOwnTokens() async throws {
    let streams = 200
    let tokens = 50
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "64", "CODEX_MAX_QUEUE": "500"]) { server in
      server.engine.script = { turn in
        guard case .text(let name)? = turn.request.input.first else { return turn.answer([]) }
        Loop.spawn {
          for number in 0..<tokens {
            turn.events.push(.answer(EscapedText("\(name)-\(number) ")))
            if number % 3 == 0 { await Loop.nextTurn() }
          }
          turn.answer([])
        }
      }
      var clients: [TestClient] = []
      for number in 0..<streams {
        let client = try await server.connect()
        client.send(
          GatewayServer.chat("s\(number)", stream: true, more: number % 3 == 0 ? ",\"user\":\"u\(number)\"" : ""))
        clients.append(client)
      }
      for (number, client) in clients.enumerated() {
        let response = await client.responses(1).first
        let events = ChatEvents(response?.body ?? "")
        #expect(events.problems == [])
        #expect(events.contents == (0..<tokens).map { "s\(number)-\($0) " })
        client.close()
      }
      #expect(server.engine.started.count == streams)
      #expect(server.engine.started.allSatisfy { !$0.isInterrupted })
    }
  }
}
