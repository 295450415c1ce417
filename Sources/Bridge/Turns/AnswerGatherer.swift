// An answer that is sent whole: gathered where it comes in, with no task that waits.

/// Gathers one turn. Held by the turn's stream while that goes on.
@LoopActor
final class AnswerGatherer: TurnReader {
  private let answer: ChatAnswer
  /// Called once, when the turn has ended. Nil from then on.
  private var onEnd: (@LoopActor (GatheredAnswer) -> Void)?
  private var state: GatheredAnswer

  /// `onEnd` is given all there is to tell.
  init(_ answer: ChatAnswer, onEnd: @escaping @LoopActor (GatheredAnswer) -> Void) {
    self.answer = answer
    self.onEnd = onEnd
    state = GatheredAnswer(stops: answer.stops)
  }

  /// Goes on by itself, up to the end of the turn.
  func start() {
    answer.turn.events.reader = self
    for event in answer.turn.events.gathered() { apply(event) }
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
    state.apply(event)
    if state.hasText { answer.sawText() }
    if state.wantsEnd { answer.turn.interrupt() }
    guard state.outcome != nil, let onEnd else { return }
    self.onEnd = nil
    onEnd(state)
  }
}
