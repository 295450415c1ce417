// What was said and done in a session, as plain text. Pure. Everything in it comes from clients, the model and its commands, so
// it is escaped, and stands behind an indentation that no line of it can leave.

enum SessionText {
  private static let indentation = "  "

  /// `session` is the answer of /v1/sessions/ID, `items` those of its messages.
  static func lines(_ session: JSONValue, _ items: [JSONValue]) -> [String] {
    var lines = heading(session)
    var speaker = ""
    for item in items {
      let next = item["role"]?.stringValue == "user" ? "You" : "Codex"
      if next != speaker {
        lines += ["", next]
        speaker = next
      } else {
        lines.append("")
      }
      var text = text(of: item)
      while text.last?.isNewline == true { text.removeLast() }
      lines += text.printableLines
        .split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.isEmpty ? "" : indentation + $0 }
    }
    return lines
  }

  private static func heading(_ session: JSONValue) -> [String] {
    let turns = session["turns"]?.intValue ?? 0
    let facts = [
      session["id"]?.stringValue, session["model"]?.stringValue, turns == 1 ? "1 turn" : "\(turns) turns",
      session["last_used"]?.intValue.map { "last used \(ReadableTime.local($0))" }, session["state"]?.stringValue,
    ]
    let title = session["title"]?.stringValue.map { [$0.printable] } ?? []
    return title + [facts.compactMap { $0?.printable }.joined(separator: " · ")]
  }

  private static func text(of item: JSONValue) -> String {
    let content = content(item["content"])
    return switch item["type"]?.stringValue {
    case "command":
      "$ \(item["command"]?.stringValue ?? "")  (\(item["status"]?.stringValue ?? "unknown"))"
    case "function_call":
      "called \(item["name"]?.stringValue ?? "a function"): \(item["arguments"]?.stringValue ?? "")"
    case "function_call_output": "got: \(content)"
    default: content
    }
  }

  private static func content(_ content: JSONValue?) -> String {
    if let text = content?.stringValue { return text }
    return (content?.arrayValue ?? []).map { part in
      if let text = part["text"]?.stringValue { return text }
      let facts = [part["media_type"]?.stringValue, part["bytes"]?.intValue.map { "\($0) bytes" }]
      return "[\((["image"] + facts.compactMap(\.self)).joined(separator: ", "))]"
    }.joined(separator: "\n")
  }
}
