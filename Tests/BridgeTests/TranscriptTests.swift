// What Codex's records tell of a conversation, in the form in which it is shown.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct TranscriptTests {
  private func text(_ role: Conversation.Role, _ text: String, turn: String? = nil) -> Transcript.Item {
    Transcript.Item(turnID: turn, content: .message(role, [.text(text)]))
  }

  private func said(_ role: String, _ text: String, kind: String? = nil, turn: String? = nil) -> String {
    let kinds = kind.map { #""content_item_kinds":["\#($0)"]"# }
    let turn = turn.map { #""turn_id":"\#($0)""# }
    let about = [kinds, turn].compactMap(\.self).joined(separator: ",")
    return
      #"{"type":"message","role":"\#(role)","content":[{"type":"x_text","text":"\#(text)"}],"#
      + #""internal_chat_message_metadata_passthrough":{\#(about)}}"#
  }

  @Test func tellsWhatWasSaidAndInWhichTurn() {
    let transcript = Transcript(recorded: [
      said("developer", "rules"), said("user", "place", kind: "environments.x"), said("user", "put in"),
      said("user", "one", kind: "user.text", turn: "t1"), said("assistant", "two", turn: "t1"),
      said("user", "cut", kind: "generic.turn_aborted", turn: "t1"), #"{"type":"reasoning","summary":[]}"#,
      "no JSON",
    ])
    #expect(transcript.isWhole)
    #expect(
      transcript.items == [
        text(.user, "put in"), text(.user, "one", turn: "t1"), text(.assistant, "two", turn: "t1"),
      ])
  }

  @Test func commentaryIsToldApart() {
    let message = { (phase: String) in
      #"{"type":"message","role":"assistant","phase":"\#(phase)","content":[{"type":"output_text","text":"x"}]}"#
    }
    let recorded = Transcript(recorded: [message("commentary"), message("final_answer"), said("assistant", "x")])
    #expect(recorded.items.map(\.isCommentary) == [true, false, false])
    let told = Transcript(turns: [
      "thread": ["turns": [["id": "t", "items": [["type": "agentMessage", "text": "x", "phase": "commentary"]]]]]
    ])
    #expect(told.items.map(\.isCommentary) == [true])
  }

  @Test func imagesAreToldOf() {
    let url = "data:image/png;base64," + String(repeating: "A", count: 5000)
    let transcript = Transcript(recorded: [
      #"{"type":"message","role":"user","content":[{"type":"input_text","text":"see"},"#
        + #"{"type":"input_image","image_url":"\#(url)"},{"type":"input_image","image_url":"https://a/b.png"}]}"#
    ])
    #expect(
      transcript.items.map(\.content) == [
        .message(
          .user,
          [
            .text("see"), .image(mediaType: "image/png", bytes: url.utf8.count),
            .image(mediaType: nil, bytes: 15),
          ])
      ])
  }

  private func command(_ arguments: String, name: String = "exec_command", output: String?) -> [Transcript.Content]
  {
    var items = [
      ([
        "type": "function_call", "name": .string(name), "call_id": "1", "arguments": .string(arguments),
      ] as JSONValue).jsonText
    ]
    if let output {
      let item: JSONValue = ["type": "function_call_output", "call_id": "1", "output": .string(output)]
      items.append(item.jsonText)
    }
    return Transcript(recorded: items).items.map(\.content)
  }

  @Test func commandsHaveTheirEnds() {
    let ends: [(String?, Transcript.CommandStatus)] = [
      ("Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nhello", .completed),
      ("Chunk ID: a\nProcess exited with code 2\nOutput:\n", .failed), ("Exit code: 1\nOutput:", .failed),
      ("Chunk ID: a\nProcess running with session ID 5\nOutput:", .unfinished), ("aborted", .completed),
      (#"exec_command failed: CreateProcess { message: "Rejected(\"rejected by user\")" }"#, .declined),
      ("exec_command failed: no such directory", .failed),
      ("Process exited with code 0\nOutput:\nexec_command failed: rejected by user", .completed),
      (nil, .unfinished),
    ]
    for (output, status) in ends {
      #expect(
        command(#"{"cmd":"ls -l"}"#, output: output) == [.command("ls -l", status)], "\(output ?? "no output")")
    }
    let words = command(#"{"command":["bash","-lc","ls"]}"#, name: "shell", output: nil)
    #expect(words == [.command("bash -lc ls", .unfinished)])
    for (arguments, name) in [("{}", "exec_command"), ("no JSON", "shell"), (#"{"cmd":"x"}"#, "update_plan")] {
      #expect(command(arguments, name: name, output: "x") == [])
    }
  }

  @Test func functionsOfTheClientHaveTheirOutputs() {
    let transcript = Transcript(recorded: [
      #"{"type":"function_call","name":"weather","namespace":"client","arguments":"{\"a\":1}","call_id":"c"}"#,
      #"{"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"ls\"}","call_id":"x"}"#,
      #"{"type":"function_call_output","call_id":"c","output":"sunny"}"#,
      #"{"type":"function_call_output","call_id":"x","output":"files"}"#,
    ])
    #expect(
      transcript.items.map(\.content) == [
        .toolCall(Conversation.ToolCall(id: "c", name: "weather", arguments: #"{"a":1}"#)),
        .command("ls", .completed), .toolOutput(callID: "c", [.text("sunny")]),
      ])
  }

  @Test func readsWhatCodexTellsOfTurns() throws {
    let transcript = Transcript(
      turns: try JSONValue(
        parsing: #"""
          {"thread":{"turns":[{"id":"t1","items":[
            {"type":"userMessage","content":[{"type":"text","text":"one"},{"type":"image","url":"data:image/gif,x"}]},
            {"type":"reasoning","summary":[]},
            {"type":"commandExecution","command":"ls","status":"completed"},
            {"type":"commandExecution","command":"rm","status":"declined"},
            {"type":"agentMessage","text":"two"},{"type":"agentMessage","text":""}]},{"id":"t2"}]}}
          """#))
    #expect(!transcript.isWhole)
    #expect(
      transcript.items.map(\.content) == [
        .message(.user, [.text("one"), .image(mediaType: "image/gif", bytes: 16)]), .command("ls", .completed),
        .command("rm", .declined), .message(.assistant, [.text("two")]),
      ])
    #expect(transcript.items.allSatisfy { $0.turnID == "t1" })
  }

  @Test func aWindowHasItsBounds() throws {
    #expect(try TranscriptWindow([:]).limit == 100)
    #expect(try TranscriptWindow([:]).start == 0)
    #expect(try TranscriptWindow(["limit": "1", "after": "7"]).start == 8)
    for (name, value) in [
      ("limit", "0"), ("limit", "101"), ("limit", "x"), ("after", "-2"), ("after", "x"), ("after", ""),
      ("after", "9223372036854775807"),
    ] {
      #expect(throws: APIError.self, "\(name)=\(value)") { try TranscriptWindow([name: value]) }
    }
  }
}
