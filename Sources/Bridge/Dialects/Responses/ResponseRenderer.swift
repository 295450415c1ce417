// Translates the events of a turn into a response stream. `ResponseOutput` decides what goes into it, `ResponseEventWriter`
// writes the bytes.

/// A renderer that can tell the object which is kept of its answer.
protocol KeptAnswerRenderer {
  /// The answer as it ends.
  func kept(_ state: ResponseState) -> RenderedResponse
}

/// Writes one response as a stream of events.
final class ResponseRenderer: AnswerRenderer {
  private let objects: ResponseObjects
  /// When the answer has ended, in seconds since 1970: what is kept tells the same time as what is sent.
  private var endedAt: Int?
  /// Not checked for overlapping access, as what follows: they are values, and the code that changes them never re-enters this
  /// object (Decisions).
  @exclusivity(unchecked) private var output: ResponseOutput
  @exclusivity(unchecked) private var writer: ResponseEventWriter
  /// The message that `deltaHead` is for.
  @exclusivity(unchecked) private var messageInHead = -1
  /// What a piece of the open message's text begins with, behind the number of its event.
  @exclusivity(unchecked) private var deltaHead: [UInt8] = []

  init(_ objects: ResponseObjects, _ style: ResponseStyle, _ writer: ResponseEventWriter) {
    self.objects = objects
    output = ResponseOutput(objects.ids, style)
    self.writer = writer
  }

  func appendStart(to buffer: inout ByteBuffer) {
    let object = objects.response(.inProgress, output: []).object
    write("response.created", object, to: &buffer)
    write("response.in_progress", object, to: &buffer)
  }

  func append(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool {
    if case .answer = channel, messageInHead >= 0, !text.isEmpty {
      output.append(text)
      let head = deltaHead
      writer.write(text: text, head: head.span, to: &buffer)
    } else {
      tell(output.add(text, channel), to: &buffer)
    }
    return true
  }

  func append(_ event: TurnEvent, to buffer: inout ByteBuffer) -> Bool {
    tell(output.add(event), to: &buffer)
    return true
  }

  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer) {
    let state = ResponseState(ending, usage)
    tell(output.end(state.itemStatus), to: &buffer)
    let object = kept(state).object
    switch state {
    case .incomplete: write("response.incomplete", object, to: &buffer)
    default: write("response.completed", object, to: &buffer)
    }
  }

  private func write(_ type: StaticString, _ response: [UInt8], to buffer: inout ByteBuffer) {
    writer.write(type, to: &buffer) {
      $0.append(fixed: #","response":"#)
      $0.append(response)
    }
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    tell(output.end(.incomplete), to: &buffer)
    guard !error.isCancellation else {
      // There is no event for it. This one ends the stream for every client, and the status in it is right.
      return write("response.incomplete", kept(.cancelled).object, to: &buffer)
    }
    Self.appendError(error, &writer, to: &buffer)
    write("response.failed", kept(.failed(error)).object, to: &buffer)
  }

  /// The first of the two events that a failed stream ends with. Clients read either its own members or those of its `error`.
  static func appendError(_ error: APIError, _ writer: inout ResponseEventWriter, to buffer: inout ByteBuffer) {
    let message = JSONValue.string(error.message)
    let code = JSONValue.string(error.code ?? error.type)
    writer.write(
      "error", to: &buffer,
      [
        "code": code, "message": message, "param": .text(error.param),
        "error": ["type": .string(error.type), "code": code, "message": message, "param": .text(error.param)],
      ])
  }

  // MARK: Events of the output

  private func tell(_ events: [ResponseOutput.Event], to buffer: inout ByteBuffer) {
    for event in events { tell(event, to: &buffer) }
  }

  private func tell(_ event: ResponseOutput.Event, to buffer: inout ByteBuffer) {
    switch event {
    case .itemAdded(let index):
      writer.write(
        "response.output_item.added", to: &buffer,
        ["output_index": .int(index), "item": output.items[index].beginning])
      if case .activity(let activity) = output.items[index].content { begin(activity, index, to: &buffer) }
    case .partAdded(let index, let part): addPart(index, part, to: &buffer)
    case .delta(let index, let part, let text): tellDelta(text, index, part, to: &buffer)
    case .partDone(let index, let part): endPart(index, part, to: &buffer)
    case .itemDone(let index): end(index, to: &buffer)
    }
  }

  private func addPart(_ index: Int, _ part: Int, to buffer: inout ByteBuffer) {
    let item = output.items[index]
    let empty = EscapedText(raw: "")
    guard case .message(_, let isCommentary) = item.content else {
      return writer.write(
        "response.reasoning_summary_part.added", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "summary_index": .int(part),
          "part": ResponseItem.summaryPart(empty),
        ])
    }
    writer.write(
      "response.content_part.added", to: &buffer,
      [
        "item_id": .string(item.id), "output_index": .int(index), "content_index": .int(part),
        "part": ResponseItem.textPart(empty),
      ])
    if isCommentary { return }
    messageInHead = index
    var head = ByteBuffer()
    head.append(fixed: #","item_id":"#)
    head.append(jsonString: item.id)
    head.append(#","output_index":\#(index),"content_index":0,"delta":""#)
    deltaHead = head.take()
  }

  private func tellDelta(_ text: EscapedText, _ index: Int, _ part: Int, to buffer: inout ByteBuffer) {
    let item = output.items[index]
    if item.isMessage {
      return writer.write("response.output_text.delta", to: &buffer) { buffer in
        buffer.append(#","item_id":"\#(item.id)","output_index":\#(index),"content_index":\#(part),"delta":""#)
        buffer.append(text.raw)
        buffer.append(fixed: #"","logprobs":[]"#)
      }
    }
    writer.write("response.reasoning_summary_text.delta", to: &buffer) { buffer in
      buffer.append(#","item_id":"\#(item.id)","output_index":\#(index),"summary_index":\#(part),"delta":""#)
      buffer.append(text.raw)
      buffer.append(fixed: "\"")
    }
  }

  private func endPart(_ index: Int, _ part: Int, to buffer: inout ByteBuffer) {
    let item = output.items[index]
    switch item.content {
    case .message(let text, _):
      messageInHead = -1
      writer.write(
        "response.output_text.done", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "content_index": .int(part),
          "text": .string(text.text), "logprobs": [],
        ])
      writer.write(
        "response.content_part.done", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "content_index": .int(part),
          "part": ResponseItem.textPart(text),
        ])
    case .reasoning(let parts) where part < parts.count:
      let text = parts[part].text
      writer.write(
        "response.reasoning_summary_text.done", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "summary_index": .int(part),
          "text": .string(text.text),
        ])
      writer.write(
        "response.reasoning_summary_part.done", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "summary_index": .int(part),
          "part": ResponseItem.summaryPart(text),
        ])
    case .reasoning, .call, .activity: break
    }
  }

  private func end(_ index: Int, to buffer: inout ByteBuffer) {
    let item = output.items[index]
    switch item.content {
    case .message, .reasoning: break
    case .call(let call, let name):
      let arguments = JSONValue.string(call.arguments)
      let place: KeyValuePairs<String, JSONValue> = [
        "item_id": .string(item.id), "output_index": .int(index), "delta": arguments,
      ]
      writer.write("response.function_call_arguments.delta", to: &buffer, place)
      writer.write(
        "response.function_call_arguments.done", to: &buffer,
        [
          "item_id": .string(item.id), "output_index": .int(index), "arguments": arguments,
          "name": .string(name?.name ?? call.name),
        ])
    case .activity(let activity):
      let place: KeyValuePairs<String, JSONValue> = ["item_id": .string(item.id), "output_index": .int(index)]
      if activity.outcome?.isFailure ?? true {
        writer.write("response.mcp_call.failed", to: &buffer, place)
      } else {
        writer.write("response.mcp_call.completed", to: &buffer, place)
      }
    }
    writer.write(
      "response.output_item.done", to: &buffer, ["output_index": .int(index), "item": item.object])
  }

  private func begin(_ activity: ResponseItem.Activity, _ index: Int, to buffer: inout ByteBuffer) {
    let id = JSONValue.string(output.items[index].id)
    writer.write("response.mcp_call.in_progress", to: &buffer, ["item_id": id, "output_index": .int(index)])
    writer.write(
      "response.mcp_call_arguments.done", to: &buffer,
      [
        "item_id": id, "output_index": .int(index), "arguments": .string(activity.use.arguments.jsonText),
      ])
  }
}

extension ResponseRenderer: KeptAnswerRenderer {
  func kept(_ state: ResponseState) -> RenderedResponse {
    let now = endedAt ?? unixTime()
    endedAt = now
    return objects.response(state, ending: output, at: now)
  }
}

extension ResponseState {
  init(_ ending: AnswerEnding, _ usage: TokenUsage?) {
    switch ending {
    case .complete, .toolCalls: self = .completed(usage)
    case .lengthLimit: self = .incomplete(usage)
    }
  }

  /// How items end that are under way.
  var itemStatus: ResponseItem.Status {
    switch self {
    case .completed: .completed
    case .queued, .inProgress, .incomplete, .failed, .cancelled: .incomplete
    }
  }
}

extension APIError {
  /// Whether it says that the answer is not wanted any more.
  var isCancellation: Bool { code == "cancelled" }
}
