// A chat completion stream as a strict client reads it.

import Glibc

@testable import Bridge

/// The events of one streamed answer, and what is wrong with their form.
struct ChatEvents: Sendable {
  /// The JSON of the events before `[DONE]`.
  private(set) var chunks: [JSONValue] = []
  private(set) var comments: [String] = []
  private(set) var isDone = false
  /// Every rule of clients.md C16–C28 that was broken, in words.
  private(set) var problems: [String] = []

  /// Reads the decoded body of a stream.
  init(_ body: String, asksForUsage: Bool = false) {
    guard body.hasSuffix("\n\n") else {
      problems.append("the stream does not end with an empty line")
      return
    }
    for event in Self.events(of: body) { read(event) }
    if !isDone { problems.append("no [DONE]") }
    checkChoices()
    checkIdentity()
    checkEnd()
    checkUsage(asksForUsage)
  }

  /// The chunks that are no error.
  var answers: [JSONValue] { chunks.filter { $0["error"] == nil } }
  var error: JSONValue? { chunks.first { $0["error"] != nil }?["error"] }
  var content: String { contents.joined() }
  /// The pieces of text, as they came.
  var contents: [String] { deltas.compactMap { $0["content"]?.stringValue }.filter { !$0.isEmpty } }
  var reasoning: String { deltas.compactMap { $0["reasoning_content"]?.stringValue }.joined() }
  var deltas: [JSONValue] { answers.compactMap { $0["choices"]?.arrayValue?.first?["delta"] } }
  var finishReasons: [String] {
    answers.compactMap { $0["choices"]?.arrayValue?.first?["finish_reason"]?.stringValue }
  }
  var usage: JSONValue? { answers.first { $0["choices"]?.arrayValue?.isEmpty == true }?["usage"] }

  /// What stands between empty lines.
  private static func events(of body: String) -> [Substring] {
    let bytes = Array(body.utf8)
    var (events, start): ([Substring], Int) = ([], 0)
    while start < bytes.count {
      let end = bytes[start...].firstOffset(of: "\n\n") ?? bytes.endIndex
      if end > start { events.append(Substring(decoding: bytes[start..<end], as: UTF8.self)) }
      start = end + 2
    }
    return events
  }

  private mutating func read(_ event: Substring) {
    if isDone { problems.append("“\(event)” after [DONE]") }
    var event = event
    // Comments stand on lines of their own, right before the event that follows (C23).
    while event.hasPrefix(": "), let end = event.firstIndex(of: "\n") {
      comments.append(String(event[..<end].dropFirst(2)))
      event = event[event.index(after: end)...]
    }
    if Self.splitsLines(event) {
      problems.append("an event of several lines: “\(event)”")
    }
    if event.hasPrefix(": ") {
      problems.append("a comment with a blank line behind it: “\(event)”")
    } else if event == "data: [DONE]" {
      isDone = true
    } else if event.hasPrefix("data: "), let value = try? JSONValue(parsing: String(event.dropFirst(6))) {
      chunks.append(value)
    } else {
      problems.append("neither data nor comment: “\(event)”")
    }
  }

  /// Whether a client that splits lines, as Unicode does or otherwise, would cut it.
  private static func splitsLines(_ event: Substring) -> Bool {
    let bytes = Array(event.utf8)
    let ends: [StaticString] = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{B}", "\u{C}"]
    return ends.contains {
      bytes[...].firstOffset(of: $0) != nil
    }
  }

  /// C16, C17, C26.
  private mutating func checkChoices() {
    for (index, chunk) in answers.enumerated() {
      guard let choices = chunk["choices"]?.arrayValue else {
        problems.append("a chunk without choices")
        continue
      }
      guard let choice = choices.first else { continue }
      if choices.count > 1 || choice["index"]?.intValue != 0 { problems.append("choice index") }
      guard let delta = choice["delta"], delta.objectValue != nil else {
        problems.append("a delta that is no object")
        continue
      }
      let isFirst = index == 0
      if (delta["role"]?.stringValue == "assistant") != isFirst { problems.append("role in chunk \(index)") }
      if isFirst, delta["content"]?.stringValue != "" { problems.append("the first content is not empty") }
      if delta["reasoning"] != nil { problems.append("a second name for reasoning") }
    }
    let all = deltas.dropFirst()
    if let text = all.firstIndex(where: { $0["content"] != nil }),
      let thought = all.lastIndex(where: { $0["reasoning_content"] != nil }), thought > text, error == nil
    {
      problems.append("reasoning after content")
    }
  }

  private mutating func checkIdentity() {
    for key in ["id", "object", "created", "model"] {
      let values = answers.map { $0[key] ?? .null }
      if values.contains(.null) || values.contains(where: { $0 != values.first }) {
        problems.append("\(key) varies")
      }
    }
    if let object = answers.first?["object"], object != "chat.completion.chunk" { problems.append("object") }
    if let id = answers.first?["id"], id.stringValue?.hasPrefix("chatcmpl-") != true { problems.append("id") }
    if let created = answers.first?["created"], (created.intValue ?? 0) < 1_600_000_000 {
      problems.append("created")
    }
  }

  /// C19, C21, C22: an end by `finish_reason`, or an error without `choices`, and never both.
  private mutating func checkEnd() {
    if let error {
      for key in ["message", "type", "param", "code"] where error[key] == nil {
        problems.append("error.\(key) absent")
      }
      if error["message"]?.stringValue?.isEmpty != false { problems.append("error.message") }
      if chunks.last?["choices"] != nil { problems.append("an error event with choices, or not the last") }
      if !finishReasons.isEmpty { problems.append("a finish reason besides an error") }
    } else if finishReasons.count != 1 {
      problems.append("finish reasons: \(finishReasons)")
    } else if !["stop", "length", "content_filter"].contains(finishReasons[0]) {
      problems.append("finish reason \(finishReasons[0])")
    }
  }

  /// C18.
  private mutating func checkUsage(_ asksForUsage: Bool) {
    let withUsage = answers.filter { $0["usage"]?.objectValue != nil }
    guard error == nil else { return }
    guard asksForUsage else {
      if answers.contains(where: { $0["usage"] != nil }) { problems.append("usage that nobody asked for") }
      if answers.contains(where: { $0["choices"]?.arrayValue?.isEmpty == true }) {
        problems.append("empty choices")
      }
      return
    }
    if withUsage.count != 1 || answers.last?["usage"]?.objectValue == nil
      || answers.last?["choices"]?.arrayValue?.isEmpty != true
    {
      problems.append("usage is not once, last and with empty choices")
    }
    if answers.dropLast().contains(where: { $0["usage"]?.isNull != true }) {
      problems.append("usage is not null before")
    }
  }
}

extension ArraySlice<UInt8> {
  /// Where `text` first stands. The C library looks for it: tests are built without optimisation, and some look through
  /// many megabytes.
  func firstOffset(of text: StaticString) -> Int? {
    let count = text.utf8CodeUnitCount
    return withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      var start = 0
      while start + count <= bytes.count,
        let found = memchr(base + start, Int32(text.utf8Start.pointee), bytes.count - count + 1 - start)
      {
        if memcmp(found, text.utf8Start, count) == 0 { return startIndex + (UnsafeRawPointer(found) - base) }
        start = UnsafeRawPointer(found) - base + 1
      }
      return nil
    }
  }
}
