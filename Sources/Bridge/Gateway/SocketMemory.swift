// What one WebSocket of the Responses API remembers.

/// The response that was told last, if nothing else keeps it: who sends `store: false` can go on from it on the same socket.
@LoopActor
final class SocketMemory {
  private var last: (id: String, items: [Conversation.Item])?

  /// The items of a conversation up to a response, and of that. They are forgotten: if what follows fails, its client sends
  /// everything.
  func take(_ id: String) -> [Conversation.Item]? {
    guard let last, last.id == id else { return nil }
    self.last = nil
    return last.items
  }

  /// Remembers a response and what was said before it.
  func remember(_ id: String, _ before: [Conversation.Item], _ response: RenderedResponse) {
    let objects = response.output.compactMap {
      try? JSONValue(parsing: String(decoding: $0.object, as: UTF8.self))
    }
    let output = try? ResponseInput.read(FieldReader(.array(objects), path: "input")).items(checking: .nothing)
    last = (id, before + (output ?? []))
  }

  /// Appends an answer that is no stream, as the event of an error.
  nonisolated static func append(_ response: Response, to buffer: inout ByteBuffer) {
    buffer.append(#"{"type":"error","status":\#(response.status)"#)
    // Behind the brace of the error's object.
    if response.body.count > 1 {
      buffer.append(fixed: ",")
      buffer.append(Array(response.body.dropFirst()))
    } else {
      buffer.append(fixed: "}")
    }
  }
}
