// What goes on beside a chat answer as objects.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ActivityItemTests {
  private static let question = Approval.Question(
    action: .command(.init(text: "rm \u{1b}[2J x", sandbox: .outside)), reason: nil, workingDirectory: "/work")
  private static let approval = Approval(
    id: "apr-1", question: question, thread: ThreadID("t"), requestID: "r", owner: .everybody, askedAt: 1,
    expiresAt: 2)

  private static let events: [TurnEvent] = [
    .tool(ToolReport(number: 1, use: .command("ls \u{1b}[2J"), progress: .began)),
    .question(.asked(approval)),
    .question(.answered(id: "apr-1", .accept, byPerson: true)),
    .tool(ToolReport(number: 1, use: .command("ls \u{1b}[2J"), progress: .ended(.exited(2)))),
    .tool(ToolReport(number: 2, use: .webSearch(query: "q"), progress: .ended(.failed))),
    .question(.declinedUnseen("run a command")),
    .toolsLeftOut(3),
    .effectsStay,
    .answer(EscapedText("fine")),
  ]

  private func objects() -> ChatObjects {
    ChatObjects(identity: AnswerIdentity(id: "chatcmpl-1", created: 1, model: "m"), includesUsage: false)
  }

  @Test func aWholeAnswerHasEachOnceAsItIsInTheEnd() throws {
    let whole = ChatWholeAnswer(objects(), stops: [], shown: .init(tools: true, asItems: true))
    for event in Self.events {
      if let (text, channel) = event.text { _ = whole.take(text, channel) } else { _ = whole.take(event) }
    }
    let body = try JSONValue(parsing: whole.body(.complete, usage: nil, session: nil))
    let message = body["choices"]?.arrayValue?.first?["message"]
    #expect(message?["content"] == "fine" && message?["reasoning_content"] == nil)
    let items = message?["bridge_activity"]?.arrayValue ?? []
    #expect(
      items.map { $0["type"] } == ["command", "approval", "web_search", "approval", "note", "note"])
    #expect(
      items.map { $0["status"] } == ["completed", "completed", "failed", "declined", "completed", "completed"])
    #expect(items.first?["exit_code"] == 2 && items.last?["exit_code"] == .null)
    #expect(Set(items.compactMap { $0["id"]?.stringValue }).count == items.count)
    #expect(!items.contains { $0["text"]?.stringValue?.contains("\u{1b}") == true })
  }

  @Test func aStreamTellsEachChange() throws {
    let renderer = ChatRenderer(objects(), stops: [], shown: .init(tools: true, asItems: true))
    var buffer = ByteBuffer()
    for event in Self.events where event.text == nil { _ = renderer.append(event, to: &buffer) }
    let lines = String(decoding: buffer.withBytes { $0.array }, as: UTF8.self)
      .split(separator: "\n").filter { $0.hasPrefix("data: ") }
    let items = try lines.map {
      try JSONValue(parsing: Array($0.dropFirst(6).utf8))["choices"]?.arrayValue?.first?["delta"]?[
        "bridge_activity"]
    }
    #expect(items.count == 8 && items.allSatisfy { $0 != nil })
    #expect(items.map { $0?["id"] }.prefix(4) == ["tool_1", "apr-1", "apr-1", "tool_1"])
    #expect(
      items.map { $0?["status"] }.prefix(4) == ["in_progress", "in_progress", "completed", "completed"])
  }

  @Test func withoutThemAllIsText() {
    let whole = ChatWholeAnswer(objects(), stops: [], shown: .init(tools: true))
    for event in Self.events where event.text == nil { _ = whole.take(event) }
    #expect(whole.reasoning.contains("Exit code 2"))
  }
}
