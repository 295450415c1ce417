// The life of a connection, with a clock that the test moves.

import Testing

@testable import Bridge

struct ConnectionStateTests {
  private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let closing = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
  private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
  private static let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

  private let limits = ConnectionState.Limits()

  private func state(at now: Duration = .zero) -> ConnectionState {
    ConnectionState(limits: ConnectionState.SharedLimits(limits), now: now)
  }

  /// A connection with a handler at work on this request.
  private func handling(_ head: String = get, at now: Duration = .zero) throws -> ConnectionState {
    var state = state(at: now)
    state.headBegan(at: now)
    state.headReceived(try ParsedRequest.head(head), at: now)
    return state
  }

  /// A connection whose answer is out while the body is still coming.
  private func discarding(at now: Duration = .zero) throws -> ConnectionState {
    var state = try handling(Self.post, at: now)
    state.bodyReceived(50_000)
    state.answerBegins(expected: 100_000, isAwaitingContinue: false)
    #expect(state.answerEnded(at: now) == .readRequest)
    return state
  }

  private func lingering(at now: Duration = .zero) throws -> ConnectionState {
    var state = try handling(Self.closing, at: now)
    #expect(state.answerEnded(at: now) == .linger)
    return state
  }

  // MARK: Keep-alive

  @Test func servesOneRequestAfterTheOther() throws {
    var state = state()
    for second in 1...3 {
      let now = Duration.seconds(second)
      state.headBegan(at: now)
      #expect(state.phase == .readingHead(since: now))
      state.headReceived(try ParsedRequest.head(Self.get), at: now)
      #expect(state.isHandling)
      #expect(state.bodyEnded(at: now) == .none)
      state.answerBegins(expected: nil, isAwaitingContinue: false)
      #expect(state.willKeepAlive)
      #expect(state.answerEnded(at: now) == .readRequest)
      #expect(state.phase == .idle(since: now))
    }
  }

  @Test func closesWhenTheClientAsks() throws {
    var state = try handling(Self.closing)
    #expect(!state.willKeepAlive)
    #expect(state.answerEnded(at: .seconds(1)) == .linger)
    #expect(state.phase == .lingering(since: .seconds(1)))
  }

  @Test func theNextRequestDecidesAnew() throws {
    var state = try handling(Self.get)
    _ = state.answerEnded(at: .zero)
    state.headReceived(try ParsedRequest.head(Self.closing), at: .zero)
    #expect(!state.willKeepAlive)
  }

  @Test func closesWhenTheAnswerNeedsIt() throws {
    var state = try handling()
    state.answerNeedsClose()
    #expect(!state.willKeepAlive)
    #expect(state.answerEnded(at: .zero) == .linger)
  }

  // MARK: Bodies that nobody reads

  @Test func readsASmallRestAway() throws {
    var state = try discarding(at: .seconds(1))
    #expect(state.phase == .discarding(since: .seconds(1)))
    #expect(state.bodyEnded(at: .seconds(2)) == .readRequest)
    #expect(state.phase == .idle(since: .seconds(2)))
  }

  @Test(arguments: [0, 1])
  func closesInsteadOfReadingALargeRest(_ excess: Int) throws {
    var state = try handling(Self.post)
    state.bodyReceived(10)
    state.answerBegins(expected: 10 + limits.discardBytes + excess, isAwaitingContinue: false)
    #expect(state.willKeepAlive == (excess == 0))
  }

  @Test func closesWhenTheRestIsUnknown() throws {
    var state = try handling(Self.chunked)
    state.answerBegins(expected: nil, isAwaitingContinue: false)
    #expect(state.answerEnded(at: .zero) == .linger)
  }

  /// The client may or may not send the body it was not asked for; only closing is unambiguous.
  @Test func closesWhenTheClientStillWaitsForContinue() throws {
    var state = try handling(Self.post)
    state.answerBegins(expected: 5, isAwaitingContinue: true)
    #expect(state.answerEnded(at: .zero) == .linger)
  }

  @Test func keepsAConnectionWhoseBodyIsWhole() throws {
    var state = try handling(Self.chunked)
    state.bodyReceived(10)
    #expect(state.bodyEnded(at: .zero) == .none)
    state.answerBegins(expected: nil, isAwaitingContinue: false)
    #expect(state.answerEnded(at: .zero) == .readRequest)
  }

  // MARK: The client leaves

  @Test func aClientThatLeavesCancelsItsHandler() throws {
    var state = try handling()
    #expect(state.inputDidEnd() == .cancelHandler)
    #expect(state.isHandling)
    #expect(!state.willKeepAlive)
    #expect(state.answerEnded(at: .zero) == .close)
  }

  @Test func aClientThatLeavesOtherwiseIsLetGo() throws {
    var reading = state()
    reading.headBegan(at: .zero)
    var states = [state(), reading, try discarding(), try lingering()]
    for index in states.indices {
      #expect(states[index].inputDidEnd() == .close)
      #expect(states[index].phase == .closed)
    }
  }

  // MARK: Refusals and lingering

  @Test func aRefusalIsTheLastAnswer() throws {
    var state = state()
    state.headBegan(at: .zero)
    #expect(state.refused(at: .seconds(3)) == .linger)
    #expect(state.phase == .lingering(since: .seconds(3)))
    #expect(!state.willKeepAlive)
  }

  @Test func lingersForSomeBytesOnly() throws {
    var state = try lingering()
    #expect(state.lingeringReceived(limits.lingerBytes) == .none)
    #expect(state.lingeringReceived(1) == .abort)
    #expect(state.phase == .closed)
  }

  // MARK: Draining

  @Test func drainingClosesWhatIsIdle() throws {
    var state = try handling()
    #expect(state.answerEnded(at: .zero) == .readRequest)
    #expect(state.drainBegan() == .close)
    #expect(state.phase == .closed)
  }

  /// Its first request may be on its way; closing now would leave that without an answer.
  @Test func drainingWaitsAMomentForOneThatHasJustConnected() throws {
    var state = state()
    #expect(state.drainBegan() == .none)
    #expect(state.tick(at: .milliseconds(500), stalledSince: nil) == .none)
    var silent = state
    #expect(silent.tick(at: .milliseconds(1500), stalledSince: nil) == .close)
    state.headReceived(try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), at: .milliseconds(600))
    #expect(!state.willKeepAlive)
  }

  @Test func drainingLetsAnAnswerEnd() throws {
    var state = try handling()
    #expect(state.drainBegan() == .none)
    #expect(!state.willKeepAlive)
    #expect(state.answerEnded(at: .zero) == .linger)
  }

  @Test func drainingLetsAHeadComeIn() throws {
    var state = state()
    state.headBegan(at: .zero)
    #expect(state.drainBegan() == .none)
    state.headReceived(try ParsedRequest.head(Self.get), at: .zero)
    #expect(!state.willKeepAlive)
  }

  /// Nothing would close it for more than a minute otherwise, and the bridge's end would wait for it.
  @Test func drainingEndsAConnectionThatReadsABodyAway() throws {
    var state = try discarding()
    let atOnce = state.drainBegan()
    #expect(atOnce == .close || state.bodyEnded(at: .zero) == .close)
    #expect(state.phase == .closed)
  }

  // MARK: Time

  /// The action at the limit and just above it.
  private func ticks(_ state: ConnectionState, _ limit: Duration) -> [ConnectionState.Action] {
    [limit, limit + .milliseconds(1)].map { now in
      var state = state
      return state.tick(at: now, stalledSince: nil)
    }
  }

  @Test func closesAnIdleConnection() throws {
    #expect(ticks(state(), limits.idle) == [.none, .close])
    var used = try handling()
    _ = used.answerEnded(at: .seconds(10))
    #expect(ticks(used, .seconds(10) + limits.idle) == [.none, .close])
  }

  @Test func refusesASlowHead() {
    var state = state()
    state.headBegan(at: .seconds(5))
    // More of the same head gives no more time: a byte now and then must not hold a connection.
    state.headBegan(at: .seconds(15))
    #expect(ticks(state, .seconds(5) + limits.head) == [.none, .refuseAsTooSlow])
  }

  @Test func failsASlowBody() throws {
    var state = try handling(Self.post, at: .seconds(1))
    #expect(ticks(state, .seconds(1) + limits.bodyGrace) == [.none, .failBody])
    state.bodyReceived(limits.bodyBytesPerSecond * 10)
    #expect(ticks(state, .seconds(11) + limits.bodyGrace) == [.none, .failBody])
  }

  @Test func givesAHandlerAllTheTimeItWants() throws {
    var state = try handling(Self.post)
    _ = state.bodyEnded(at: .zero)
    #expect(ticks(state, .seconds(1_000_000)) == [.none, .none])
    #expect(ticks(try handling(Self.get), .seconds(1_000_000)) == [.none, .none])
  }

  @Test func givesUpOnABodyThatIsReadAway() throws {
    #expect(ticks(try discarding(at: .seconds(1)), .seconds(1) + limits.bodyGrace) == [.none, .close])
  }

  @Test func lingersForAWhileOnly() throws {
    #expect(ticks(try lingering(at: .seconds(1)), .seconds(1) + limits.linger) == [.none, .close])
  }

  @Test func closesWhenThePeerTakesNothing() throws {
    for var state in [state(), try handling(), try discarding(), try lingering()] {
      let since = Duration.seconds(1)
      #expect(state.tick(at: .seconds(2), stalledSince: since) == .none)
      #expect(state.tick(at: since + limits.writeStall + .milliseconds(1), stalledSince: since) == .abort)
    }
  }

  @Test func asksNothingOnceClosed() throws {
    var state = try handling()
    state.didClose()
    #expect(state.phase == .closed)
    #expect(state.inputDidEnd() == .none)
    #expect(state.drainBegan() == .none)
    #expect(state.bodyEnded(at: .zero) == .none)
    #expect(state.answerEnded(at: .zero) == .none)
    #expect(state.tick(at: .seconds(1_000_000), stalledSince: nil) == .none)
    #expect(state.phase == .closed)
  }

  // MARK: A WebSocket

  private func upgraded() throws -> ConnectionState {
    var state = try handling()
    #expect(state.upgrade() == true)
    #expect(state.phase == .upgraded && !state.isHandling)
    return state
  }

  @Test func aSocketHasNoTimeLimitsButThatOfAPeerThatTakesNothing() throws {
    var state = try upgraded()
    let late = Duration.seconds(100_000)
    #expect(state.tick(at: late, stalledSince: nil) == .none)
    #expect(state.idleSince(at: late) == nil)
    #expect(state.drainBegan() == .none && state.isDraining)
    #expect(state.tick(at: late, stalledSince: late - limits.writeStall - .seconds(1)) == .abort)
  }

  @Test func aSocketLingersAtItsEnd() throws {
    var state = try upgraded()
    #expect(state.socketEnded(at: .seconds(1)) == .linger)
    #expect(state.tick(at: .seconds(2) + limits.linger, stalledSince: nil) == .close)
    #expect(state.socketEnded(at: .seconds(3)) == .none)
  }

  @Test func theEndOfInputEndsASocket() throws {
    var state = try upgraded()
    #expect(state.inputDidEnd() == .abort)
  }

  @Test func onlyAWholeRequestOfAClientThatStaysIsUpgraded() throws {
    var idle = state()
    #expect(idle.upgrade() == false)
    var withBody = try handling(Self.post)
    #expect(withBody.upgrade() == false)
    #expect(withBody.isHandling)
    var left = try handling()
    _ = left.inputDidEnd()
    #expect(left.upgrade() == false)
    #expect(left.isHandling)
  }
}
