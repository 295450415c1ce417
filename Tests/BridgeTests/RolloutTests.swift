// Threads read from Codex's own files: in pieces, summarised, damaged, and where they must not be.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct RolloutTests {
  private static func line(_ ordinal: Int, _ type: String, _ payload: String) -> String {
    #"{"timestamp":"t","ordinal":\#(ordinal),"type":"\#(type)","payload":\#(payload)}"#
  }

  private static func item(_ ordinal: Int, turn: String = "1") -> String {
    line(
      ordinal, "response_item",
      #"{"n":\#(ordinal),"internal_chat_message_metadata_passthrough":{"turn_id":"\#(turn)"}}"#)
  }

  private struct Home {
    let directory: TemporaryDirectory
    var path: String { directory.path }

    init() throws {
      directory = try TemporaryDirectory()
      try FileContents.makeDirectories("\(directory.path)/sessions/2026/11/29")
    }

    func write(_ name: String, _ lines: [String]) throws -> String {
      let path = "sessions/2026/11/29/\(name).jsonl"
      try directory.write(lines.joined(separator: "\n") + "\n", to: path)
      return "\(directory.path)/\(path)"
    }

    func numbers(_ path: String) throws -> [Int]? {
      try Rollout.items(path: path, home: self.path)?.map { try JSONValue(parsing: $0)["n"]?.intValue ?? -1 }
    }
  }

  @Test func readsTheItemsOfAThread() throws {
    let home = try Home()
    defer { home.directory.remove() }
    let path = try home.write(
      "rollout-x-a",
      [Self.line(0, "session_meta", #"{"id":"a"}"#), Self.item(1), Self.line(2, "event_msg", "{}"), Self.item(3)])
    #expect(try home.numbers(path) == [1, 3])
  }

  @Test func followsAThreadThatWasTakenBack() throws {
    let home = try Home()
    defer { home.directory.remove() }
    _ = try home.write("rollout-x-a", [Self.item(1), Self.item(2), Self.item(3)])
    let base = #"{"history_base":{"thread_id":"a","end_ordinal_exclusive":3}}"#
    let path = try home.write("rollout-y-a_b", [Self.line(3, "session_meta", base), Self.item(4)])
    #expect(try home.numbers(path) == [1, 2, 4])
  }

  @Test func givesUpWhatItDoesNotUnderstand() throws {
    let home = try Home()
    defer { home.directory.remove() }
    let gone = #"{"history_base":{"thread_id":"gone","end_ordinal_exclusive":3}}"#
    let outside = #"{"history_base":{"thread_id":"../../x","end_ordinal_exclusive":3}}"#
    let itself = #"{"history_base":{"thread_id":"e","end_ordinal_exclusive":9}}"#
    for (name, lines) in [
      ("rollout-x-b", [Self.item(1), Self.line(2, "compacted", "{}")]),
      ("rollout-x-c", [Self.item(1), "no JSON"]),
      ("rollout-x-d", [Self.line(0, "session_meta", gone)]),
      ("rollout-x-e", [Self.line(0, "session_meta", itself)]),
      ("rollout-x-f", [Self.line(0, "session_meta", outside)]),
    ] {
      #expect(try home.numbers(home.write(name, lines)) == nil, "\(name)")
    }
    #expect(try home.numbers("\(home.path)/sessions/2026/11/29/none.jsonl") == nil)
    #expect(try home.numbers("/etc/hostname") == nil)
    #expect(try home.numbers("\(home.path)/sessions/../../etc/hostname") == nil)
  }

  @Test func leavesOutATurn() {
    let items = [#"{"a":1,"internal_chat_message_metadata_passthrough":{"turn_id":"1"}}"#, #"{"a":2}"#]
    #expect(RecordedItems.without("1", items) == [items[1]])
    #expect(RecordedItems.without("2", items) == items)
  }

  /// An item of a turn, in the form in which Codex keeps it.
  private func item(_ type: String, _ id: String) -> String { #"{"call_id":"\#(id)","type":"\#(type)"}"# }

  private func message(_ role: String, _ text: String, _ kind: String = "unknown") -> String {
    #"{"content":[{"text":"\#(text)","type":"x_text"}],"# + #""internal_chat_message_metadata_passthrough":"#
      + #"{"content_item_kinds":["\#(kind)"]},"role":"\#(role)","type":"message"}"#
  }

  @Test(arguments: ["user", "developer"]) func whatATurnHadDoneWhenItWasCutStays(_ role: String) throws {
    let done = [
      message("user", "do it", "user.text"), item("function_call", "1"), item("function_call_output", "1"),
    ]
    let told = [message("assistant", "Let me"), message(role, "<turn_aborted>", "generic.turn_aborted")]
    let kept = try #require(
      RecordedItems.keep(.cut(seen: "Let me see", afterCalls: false), of: done + told + ["no JSON"]))
    #expect(try kept.dropLast().map(json) == done.map(json))
    let last = try json(kept.last ?? "")
    #expect(last["role"] == "assistant")
    #expect(last["content"] == [["type": "output_text", "text": "Let me see"]])
    // Nothing was seen.
    #expect(RecordedItems.keep(.cut(seen: "", afterCalls: false), of: done + told)?.count == done.count)
  }

  @Test func whatWasSaidBeforeCallsStaysWhereTheAnswerAfterThemWasCut() throws {
    let call = #"{"call_id":"c","namespace":"client","type":"function_call"}"#
    let before = [message("user", "do it", "user.text"), message("assistant", "Let me see."), call]
    let after = [item("function_call_output", "c"), message("assistant", "It is")]
    let part = TurnPart.cut(seen: "It is s", afterCalls: true)
    let kept = try #require(RecordedItems.keep(part, of: before + after))
    #expect(try kept.prefix(4).map(json) == (before + after.prefix(1)).map(json))
    #expect(kept.count == 5)
    // The call was made out of a script.
    #expect(RecordedItems.keep(part, of: before.dropLast() + after) == nil)
  }

  @Test func whatATurnHadDoneUpToItsCallsStays() throws {
    let items = [
      message("user", "do it", "user.text"),
      item("function_call", "c1"), item("function_call_output", "c1"),
      item("function_call", "own"), item("function_call", "c2"), item("function_call", "c3"),
      item("custom_tool_call", "later"),
      item("function_call_output", "c2"), item("function_call_output", "own"), item("function_call_output", "c3"),
      item("custom_tool_call_output", "later"), message("assistant", "Done."),
    ]
    let keep = { (ids: Set<String>) in try RecordedItems.keep(.upToCalls(ids), of: items)?.map(json) }
    #expect(try keep(["c2", "c3"]) == (items[0...5] + [items[8]]).map(json))
    #expect(try keep(["c1"]) == items[0...1].map(json))
    // One that has the id of an earlier one.
    #expect(RecordedItems.keep(.upToCalls(["c1"]), of: Array(items[0...2] + items[1...2]))?.count == 4)
    // A call that it has not made, or not in this form.
    #expect(try keep(["c2", "other"]) == nil)
    #expect(try keep([]) == nil)
  }

  private func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

  @Test func tellsWhatWasSaid() {
    let said = { (role: String, kind: String?, text: String) in
      let kinds = kind.map { #","internal_chat_message_metadata_passthrough":{"content_item_kinds":["\#($0)"]}"# }
      return
        #"{"type":"message","role":"\#(role)","content":[{"type":"x_text","text":"\#(text)"}]\#(kinds ?? "")}"#
    }
    let image = #"{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:"}]}"#
    let items = [
      said("developer", nil, "rules"), said("user", "environments.x", "place"), said("user", "user.text", "one"),
      #"{"type":"reasoning","summary":[]}"#, said("assistant", "unknown", "two"),
      said("user", "generic.turn_aborted", "cut"), image, said("user", nil, "three"), "no JSON",
    ]
    #expect(
      RecordedItems.messages(in: items) == [
        .message(.user, [.text("one")]), .message(.assistant, [.text("two")]), .message(.user, [.image("data:")]),
        .message(.user, [.text("three")]),
      ])
  }
}
