// What is told of a question outside of the bridge: its forms, its bounds and its signature.

import Testing

@testable import Bridge

struct ApprovalNoticeTests {
  private func notice(_ question: Approval.Question, session: String? = "s") -> ApprovalNotice {
    let approval = Approval(
      id: "apr-1", question: question, thread: ThreadID("t"), requestID: "r", owner: Principal(name: "o"),
      askedAt: 100, expiresAt: 160)
    return ApprovalNotice(approval, session: session, base: "https://bridge.example")
  }

  private let command = Approval.Question(
    action: .command(.init(text: "rm -rf build\necho \u{1B}[2Kdone", sandbox: .outside)), workingDirectory: "/work"
  )

  @Test func aProgramGetsTheQuestionAndALink() {
    #expect(
      notice(command).body(for: .json) == [
        "object": "approval.asked", "id": "apr-1", "kind": "command",
        "subject": #"rm -rf build\necho \u{1B}[2Kdone"#,
        "lines": [
          "Codex asks to run a command outside the sandbox:", "    rm -rf build", #"    echo \u{1B}[2Kdone"#,
          "in /work",
        ],
        "text": .string(
          "Codex asks to run a command outside the sandbox:\n    rm -rf build\n    echo \\u{1B}[2Kdone\nin /work"),
        "truncated": false, "session": "s", "request_id": "r", "created": 100, "expires": 160,
        "url": "https://bridge.example/#/approvals/apr-1",
      ])
  }

  @Test func aPhoneGetsATitleATextAndALink() {
    let body = notice(command, session: nil).body(for: .ntfy(topic: "topic"))
    #expect(body["topic"] == "topic" && body["title"] == "Codex asks to run a command outside the sandbox")
    #expect(
      body["message"]
        == .string("    rm -rf build\n    echo \\u{1B}[2Kdone\nin /work\nDeclined if nobody answers within 60 s."))
    #expect(body["click"] == "https://bridge.example/#/approvals/apr-1")
    // A button that answers would have to carry a key.
    #expect(body["actions"]?.arrayValue?.map { $0["action"] } == ["view"])
  }

  /// However long the question is, curl can read the request: a line of its configuration has at most 100 KB.
  @Test(arguments: ["a", "\"", "\\", "\u{1B}", "é\n", "line\n"])
  func aLongQuestionIsCut(_ piece: String) throws {
    let long = Approval.Question(
      action: .command(.init(text: String(repeating: piece, count: 200_000))),
      reason: String(repeating: piece, count: 50_000))
    for form in [HookTarget.Form.json, .ntfy(topic: "t")] {
      let body = notice(long).body(for: form)
      let target = try #require(HookTarget("http://receiver/hook"))
      let post = HookPost(target: target, secret: nil, body: body.jsonText)
      let longest = post.configuration(at: 0).split(separator: "\n").map(\.utf8.count).max() ?? 0
      #expect(longest < 100_000)
      if form == .json {
        #expect(body["truncated"] == true)
      } else {
        let message = try #require(body["message"]?.stringValue)
        #expect(message.utf8.count < 4096 && message.contains("The card has the whole question."))
      }
    }
  }

  /// Computed by Python: hmac.new(b"s3cret", b'1700000000.{"a":"b"}', "sha256").
  @Test func theSignatureIsTheHMACOfTimeAndBody() {
    let signature = HookSignature(of: #"{"a":"b"}"#, secret: "s3cret", at: 1_700_000_000)
    #expect(signature.timestamp == 1_700_000_000)
    #expect(signature.text == "v1=8e3df8df06977f83b77027228b580951a8c82fe1093ad8116177e1ed1951abce")
    #expect(HookSignature(of: #"{"a":"b"}"#, secret: "s3cret", at: 1_700_000_001).text != signature.text)
  }
}
