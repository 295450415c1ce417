// The life of a WebSocket, with a clock that the test moves.

import Testing

@testable import Bridge

struct WebSocketStateTests {
  private static let goingAway = WebSocketState.Action.close(.goingAway, "the server is going away")

  private let limits = ConnectionState.Limits()

  private func idle() -> WebSocketState {
    var state = WebSocketState(limits: ConnectionState.SharedLimits(limits), now: .zero)
    state.ownerStarted()
    return state
  }

  private func tick(
    _ state: inout WebSocketState, _ now: Duration, isReading: Bool = true, hasUnsentBytes: Bool = false
  ) -> WebSocketState.Action {
    state.tick(at: now, isReading: isReading, hasUnsentBytes: hasUnsentBytes)
  }

  @Test func answersOneMessageAfterTheOther() {
    var state = idle()
    for _ in 0..<3 {
      #expect(state.phase == .idle && state.isOpen)
      state.messageDelivered()
      #expect(state.phase == .answering && state.isOpen)
      #expect(state.messageAnswered() == .none)
    }
    #expect(state.messageAnswered() == .none)
  }

  @Test func asksAPeerThatIsSilentAndEndsWithOneThatDoesNotAnswer() {
    var state = idle()
    #expect(tick(&state, limits.socketSilence) == .none)
    let asked = limits.socketSilence + .seconds(1)
    #expect(tick(&state, asked) == .ping)
    #expect(tick(&state, asked + limits.socketAnswer) == .none)
    #expect(tick(&state, asked + limits.socketAnswer + .seconds(1)) == .abort)
  }

  @Test(arguments: [false, true])
  func anyWordOfThePeerIsAnAnswer(isAnswering: Bool) {
    var state = idle()
    if isAnswering { state.messageDelivered() }
    let asked = limits.socketSilence + .seconds(1)
    #expect(tick(&state, asked) == .ping)
    state.heard(at: asked + .seconds(1))
    #expect(tick(&state, asked + limits.socketSilence) == .none)
    #expect(tick(&state, asked + limits.socketSilence + .seconds(2)) == .ping)
  }

  @Test func aPeerThatIsNotReadOrStillReadsIsNotExpectedToAnswer() {
    var state = idle()
    #expect(tick(&state, limits.socketSilence * 2, isReading: false) == .none)
    #expect(tick(&state, limits.socketSilence * 3) == .none)
    let asked = limits.socketSilence * 3 + .seconds(1)
    #expect(tick(&state, asked) == .ping)
    let later = asked + limits.socketAnswer * 2
    #expect(tick(&state, later, hasUnsentBytes: true) == .none)
    #expect(tick(&state, later + limits.socketAnswer) == .none)
    #expect(tick(&state, later + limits.socketAnswer + .seconds(1)) == .abort)
  }

  @Test func aMessageMustArriveAsFastAsABody() {
    var state = idle()
    state.messageContinued(heldBytes: 1, at: .zero)
    state.heard(at: limits.bodyGrace)
    #expect(tick(&state, limits.bodyGrace) == .none)
    state.messageContinued(heldBytes: limits.bodyBytesPerSecond * 10, at: limits.bodyGrace)
    state.heard(at: limits.bodyGrace + .seconds(10))
    #expect(tick(&state, limits.bodyGrace + .seconds(10)) == .none)
    let slow = WebSocketState.Action.close(.policyViolation, "the message did not arrive in time")
    #expect(tick(&state, limits.bodyGrace + .seconds(11)) == slow)
  }

  @Test func theTimeOfAMessageThatIsNotReadDoesNotCount() {
    var state = idle()
    state.messageDelivered()
    state.messageContinued(heldBytes: 1 << 20, at: .zero)
    let late = Duration.seconds(3600)
    #expect(tick(&state, late, isReading: false) == .none)
    state.heard(at: late + limits.bodyGrace)
    #expect(tick(&state, late + limits.bodyGrace) == .none)
    #expect(tick(&state, late + limits.bodyGrace + .seconds(1)) != .none)
  }

  @Test func aMessageThatIsWholeIsNotLate() {
    var state = idle()
    state.messageContinued(heldBytes: 1, at: .zero)
    state.messageEnded()
    state.heard(at: .seconds(3600))
    #expect(tick(&state, .seconds(3600)) == .none)
  }

  // MARK: The end

  @Test func drainClosesAnIdleSocketAtOnce() {
    var state = idle()
    #expect(state.drainBegan() == Self.goingAway)
  }

  @Test func drainWaitsForTheAnswer() {
    var state = idle()
    state.messageDelivered()
    #expect(state.drainBegan() == .none)
    #expect(state.messageAnswered() == Self.goingAway)
  }

  @Test func drainWaitsForTheOwner() {
    var state = WebSocketState(limits: ConnectionState.SharedLimits(limits), now: .zero)
    #expect(state.drainBegan() == .none)
    #expect(tick(&state, .seconds(3600)) == .none)
    state.ownerStarted()
    #expect(state.closeIfDrained() == Self.goingAway)
  }

  @Test func waitsForTheCloseOfThePeerButNotForLong() {
    var state = idle()
    state.closeSent(at: .zero)
    #expect(!state.isOpen)
    #expect(state.drainBegan() == .none)
    #expect(state.messageAnswered() == .none)
    #expect(tick(&state, limits.socketClose + .seconds(1), hasUnsentBytes: true) == .none)
    #expect(tick(&state, limits.socketClose * 2) == .none)
    #expect(tick(&state, limits.socketClose * 2 + .seconds(2)) == .abort)
  }

  @Test func nothingIsAskedOfASocketThatHasEnded() {
    var state = idle()
    state.ended()
    #expect(!state.isOpen)
    #expect(state.drainBegan() == .none)
    #expect(tick(&state, .seconds(3600)) == .none)
  }
}
