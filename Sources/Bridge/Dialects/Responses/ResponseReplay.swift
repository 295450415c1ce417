// Tells a response that is kept as a stream once more.

/// The events of a response, made of its object: each text in one piece.
struct ResponseReplay {
  private let object: JSONValue

  init(_ object: JSONValue) { self.object = object }

  /// Appends the events. Whoever has seen more than there are here still gets the last one.
  func append(after lastSeen: Int?, to buffer: inout ByteBuffer) {
    var counted = ByteBuffer()
    var counter = ResponseEventWriter(.serverSentEvents)
    append(&counter, to: &counted)
    var writer = ResponseEventWriter(.serverSentEvents, after: lastSeen.map { min($0, counter.number - 2) })
    append(&writer, to: &buffer)
  }

  private func append(_ writer: inout ResponseEventWriter, to buffer: inout ByteBuffer) {
    let begun = beginning
    writer.write("response.created", to: &buffer, ["response": begun])
    writer.write("response.in_progress", to: &buffer, ["response": begun])
    for (index, item) in (object["output"]?.arrayValue ?? []).enumerated() {
      append(item, at: index, &writer, to: &buffer)
    }
    switch object["status"] {
    case "failed":
      let error = object["error"] ?? .null
      let (code, message) = (error["code"] ?? .null, error["message"] ?? .null)
      writer.write(
        "error", to: &buffer,
        [
          "code": code, "message": message, "param": .null,
          "error": ["type": "server_error", "code": code, "message": message, "param": .null],
        ])
      writer.write("response.failed", to: &buffer, ["response": object])
    case "incomplete", "cancelled": writer.write("response.incomplete", to: &buffer, ["response": object])
    default: writer.write("response.completed", to: &buffer, ["response": object])
    }
  }

  private var beginning: JSONValue {
    guard var begun = object.objectValue else { return object }
    begun["status"] = "in_progress"
    begun["output"] = []
    for name in ["completed_at", "error", "incomplete_details", "usage"] { begun[name] = .null }
    return .object(begun)
  }

  private func append(
    _ item: JSONValue, at index: Int, _ writer: inout ResponseEventWriter, to buffer: inout ByteBuffer
  ) {
    guard var begun = item.objectValue else { return }
    begun["status"] = "in_progress"
    if begun["content"] != nil { begun["content"] = [] }
    if begun["summary"] != nil { begun["summary"] = [] }
    if begun["arguments"] != nil { begun["arguments"] = "" }
    if begun["type"] == "mcp_call" { (begun["output"], begun["error"]) = (.null, .null) }
    writer.write("response.output_item.added", to: &buffer, ["output_index": .int(index), "item": .object(begun)])
    let id = item["id"] ?? .null
    for (part, content) in (item["content"]?.arrayValue ?? []).enumerated() {
      let text = content["text"] ?? ""
      let place: [(String, JSONValue)] = [
        ("item_id", id), ("output_index", .int(index)), ("content_index", .int(part)),
      ]
      writer.write(
        "response.content_part.added", to: &buffer, place + [("part", ResponseItem.textPart(EscapedText(raw: "")))]
      )
      writer.write("response.output_text.delta", to: &buffer, place + [("delta", text), ("logprobs", [])])
      writer.write("response.output_text.done", to: &buffer, place + [("text", text), ("logprobs", [])])
      writer.write("response.content_part.done", to: &buffer, place + [("part", content)])
    }
    for (part, summary) in (item["summary"]?.arrayValue ?? []).enumerated() {
      let text = summary["text"] ?? ""
      let place: [(String, JSONValue)] = [
        ("item_id", id), ("output_index", .int(index)), ("summary_index", .int(part)),
      ]
      writer.write(
        "response.reasoning_summary_part.added", to: &buffer,
        place + [("part", ResponseItem.summaryPart(EscapedText(raw: "")))])
      writer.write("response.reasoning_summary_text.delta", to: &buffer, place + [("delta", text)])
      writer.write("response.reasoning_summary_text.done", to: &buffer, place + [("text", text)])
      writer.write("response.reasoning_summary_part.done", to: &buffer, place + [("part", summary)])
    }
    if item["type"] == "function_call", let arguments = item["arguments"] {
      let place: [(String, JSONValue)] = [("item_id", id), ("output_index", .int(index))]
      writer.write("response.function_call_arguments.delta", to: &buffer, place + [("delta", arguments)])
      writer.write(
        "response.function_call_arguments.done", to: &buffer,
        place + [("arguments", arguments), ("name", item["name"] ?? .null)])
    }
    if item["type"] == "mcp_call" { appendActivity(item, at: index, &writer, to: &buffer) }
    writer.write("response.output_item.done", to: &buffer, ["output_index": .int(index), "item": item])
  }

  private func appendActivity(
    _ item: JSONValue, at index: Int, _ writer: inout ResponseEventWriter, to buffer: inout ByteBuffer
  ) {
    let place: [(String, JSONValue)] = [("item_id", item["id"] ?? .null), ("output_index", .int(index))]
    writer.write("response.mcp_call.in_progress", to: &buffer, place)
    writer.write(
      "response.mcp_call_arguments.done", to: &buffer, place + [("arguments", item["arguments"] ?? "")])
    if item["status"] == "completed" {
      writer.write("response.mcp_call.completed", to: &buffer, place)
    } else {
      writer.write("response.mcp_call.failed", to: &buffer, place)
    }
  }
}
