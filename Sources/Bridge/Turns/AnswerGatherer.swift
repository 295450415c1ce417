// An answer that is sent whole: gathered where it comes in, with no task that waits.

/// Gathers one turn. Held by the turn's stream while that goes on.
@LoopActor
final class AnswerGatherer: TurnReader {
  private let turn: Turn
  private let whole: any WholeAnswerRenderer
  private let onText: @LoopActor () -> Void
  /// Called once, when the turn has ended. Nil from then on.
  private var onEnd: (@LoopActor (AnswerGatherer) -> Void)?
  private var state = AnswerState()

  /// `onText` is called with each piece of the answer's text, `onEnd` when the turn has ended and all there is to tell is
  /// known.
  init(
    of turn: Turn, renderer: any WholeAnswerRenderer, onText: @escaping @LoopActor () -> Void,
    onEnd: @escaping @LoopActor (AnswerGatherer) -> Void
  ) {
    self.turn = turn
    whole = renderer
    self.onText = onText
    self.onEnd = onEnd
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage? { state.usage }
  /// The calls that the answer has ended with.
  var openCalls: OpenCalls? { state.openCalls }

  /// What is sent of an answer that has not failed. `session` is the client's name of the conversation.
  func object(session: String?) -> JSONValue { whole.object(state.ending, usage: usage, session: session) }

  /// Goes on by itself, up to the end of the turn.
  func start() {
    turn.events.reader = self
    for event in turn.events.gathered() { apply(event) }
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    apply(.text(EscapedText(raw: String(decoding: text)), channel))
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    apply(event)
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { for event in rest { apply(event) } }

  /// Never called: it takes everything.
  func fellBehind() {}

  private func apply(_ event: TurnEvent) {
    state.gather(event, whole)
    if state.hasText { onText() }
    if state.wantsEnd { turn.interrupt() }
    guard state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    onEnd(self)
  }
}
