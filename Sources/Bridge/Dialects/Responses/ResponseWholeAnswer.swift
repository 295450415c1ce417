// Gathers the events of a turn into one response.

/// Gathers an answer that is sent as one response.
final class ResponseWholeAnswer: WholeAnswerRenderer {
  private let objects: ResponseObjects
  private var output: ResponseOutput
  /// When the answer has ended, in seconds since 1970: what is kept tells the same time as what is sent.
  private var endedAt: Int?

  init(_ objects: ResponseObjects, _ style: ResponseStyle) {
    self.objects = objects
    output = ResponseOutput(objects.ids, style)
  }

  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool {
    let piece = text.raw.utf8.span
    if case .answer = channel, output.takesAnswer {
      output.append(piece)
    } else {
      _ = output.add(piece, channel)
    }
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    switch event {
    case .answerRetracted: output.retract()
    case .answerIsCommentary:
      output.dropCommentary()
      _ = output.add(event)
    default: _ = output.add(event)
    }
    return true
  }

  func body(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> [UInt8] {
    kept(ResponseState(ending, usage)).object
  }

  /// One message with all that was said, since a client may put the messages together before it sends them back.
  var items: [Conversation.Item] {
    var ended = output
    _ = ended.end(.completed)
    var text = ""
    var calls: [Conversation.Item] = []
    for item in ended.items {
      switch item.content {
      case .message(let piece, isCommentary: false): text += piece.text
      case .call(let call, _): calls.append(.toolCall(call))
      case .message, .reasoning, .activity: break
      }
    }
    return [.message(.assistant, text.isEmpty ? [] : [.text(text)])] + calls
  }
}

extension ResponseWholeAnswer: KeptAnswerRenderer {
  func kept(_ state: ResponseState) -> RenderedResponse {
    let now = endedAt ?? unixTime()
    endedAt = now
    return objects.response(state, ending: output, at: now)
  }
}
