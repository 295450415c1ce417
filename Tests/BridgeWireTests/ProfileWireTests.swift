// Which profile a request is for: by its header, its base URL, or the settings; and what that means for its session.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ProfileWireTests {
  private typealias Server = GatewayServer

  private static let body = #"{"messages":[{"role":"user","content":"hi"}]}"#

  private static func chat(_ path: String, _ fields: [String] = [], session: String? = nil) -> String {
    let session = session.map { #","session_id":"\#($0)""# } ?? ""
    return Server.chat(body: body.dropLast() + session + "}", fields, path: path)
  }

  private struct Choice {
    var settings: [String: String] = [:]
    let path: String
    var fields: [String] = []
    let kind: ProfileKind
  }

  private static let choices = [
    Choice(path: "/v1/chat/completions", kind: .agent), Choice(path: "/chat/completions", kind: .agent),
    Choice(path: "/chat/v1/chat/completions", kind: .chat),
    Choice(path: "/agent/v1/chat/completions", kind: .agent),
    Choice(path: "//chat/v1//chat/completions/?a=b", kind: .chat),
    Choice(path: "/v1/chat/completions", fields: ["x-bridge-profile: chat"], kind: .chat),
    Choice(path: "/v1/chat/completions", fields: ["X-Bridge-Profile: Chat"], kind: .chat),
    Choice(path: "/chat/v1/chat/completions", fields: ["x-bridge-profile: agent"], kind: .agent),
    Choice(path: "/chat/v1/chat/completions", fields: ["x-bridge-profile:"], kind: .chat),
    Choice(settings: ["CODEX_PROFILE": "chat"], path: "/v1/chat/completions", kind: .chat),
    Choice(settings: ["CODEX_PROFILE": "chat"], path: "/agent/v1/chat/completions", kind: .agent),
    Choice(
      settings: ["CODEX_PROFILE": "chat"], path: "/v1/chat/completions", fields: ["x-bridge-profile: agent"],
      kind: .agent),
  ]

  @Test(arguments: choices.indices) @LoopActor
  func theHeaderGoesBeforeTheBaseURLAndThatBeforeTheSetting(_ index: Int) async throws {
    let choice = Self.choices[index]
    let rights = [
      "CODEX_SANDBOX_MODE": "danger-full-access", "CODEX_APPROVAL_POLICY": "on-request",
      "CODEX_WEB_SEARCH": "true",
    ]
    try await Server.run(rights.merging(choice.settings) { $1 }) { server in
      server.answerAll(["a"])
      let answer = try await server.exchange(Self.chat(choice.path, choice.fields))
      #expect(answer.status == 200)
      let profile = try #require(server.engine.started.first?.profile)
      #expect(profile.kind == choice.kind)
      // Nothing can be run in a chat, so nothing is allowed.
      #expect(profile.sandbox == (choice.kind == .chat ? .readOnly : .dangerFullAccess))
      #expect(profile.approvals == (choice.kind == .chat ? .never : .onRequest))
      #expect(profile.webSearch == (choice.kind == .agent))
    }
  }

  @Test(arguments: ["other", "chat,agent", "{{PROFILE}}"]) @LoopActor
  func anUnknownProfileIsRefusedByItsHeader(_ name: String) async throws {
    try await Server.run { server in
      let refused = try await server.exchange(
        Self.chat("/chat/v1/chat/completions", ["x-bridge-profile: \(name)"]))
      #expect(refused.status == 400)
      #expect(refused.error("param") == "x-bridge-profile")
      #expect(refused.error("code") == "unknown_profile")
      #expect(refused.error("message")?.stringValue?.contains("'agent' or 'chat'") == true)
      // Whoever has no key is told that first.
      let stranger = try await server.exchange(
        Server.request("GET", "/v1/models", ["x-bridge-profile: \(name)"], key: nil))
      #expect(stranger.status == 401)
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test(arguments: [
    ("GET", "/chat/v1/models"), ("GET", "/agent/v1/models/gpt-test"), ("GET", "/chat/v1/sessions"),
    ("GET", "/chat/v1/approvals"), ("GET", "/chat/v1/metrics"), ("GET", "/chat/v1/health"),
    ("GET", "/chat/v1/ready"),
  ]) @LoopActor
  func everyRouteWorksBelowAProfile(_ method: String, _ path: String) async throws {
    try await Server.run { server in #expect(await server.status(Server.request(method, path)) == 200) }
  }

  @Test @LoopActor
  func aBaseURLWithoutItsVersionIsExplained() async throws {
    try await Server.run { server in
      let answer = try await server.exchange(Server.request("GET", "/chat/models"))
      #expect(answer.status == 404)
      #expect(answer.error("message")?.stringValue?.contains("/chat/v1") == true)
      let doubled = try await server.exchange(Server.request("POST", "/chat/v1/v1/chat/completions"))
      #expect(doubled.status == 404)
      #expect(doubled.error("message")?.stringValue?.contains("ends in /v1") == true)
    }
  }

  @Test @LoopActor
  func oneIdUnderTwoProfilesIsTwoConversations() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      for path in ["/v1/chat/completions", "/chat/v1/chat/completions", "/v1/chat/completions"] {
        #expect(await server.status(Self.chat(path, session: "s")) == 200)
      }
      #expect(server.engine.started.map { $0.threadID?.raw } == ["thread-1", "thread-2", "thread-1"])
      #expect(server.engine.started.map(\.profile.kind) == [.agent, .chat, .agent])
      let list = try await server.exchange(Server.request("GET", "/v1/sessions"))
      let entries = list.json["data"]?.arrayValue ?? []
      #expect(entries.map { $0["id"] } == ["s", "s"])
      #expect(entries.map { $0["profile"] } == ["agent", "chat"])
      for (path, thread) in [("/v1", "thread-1"), ("/chat/v1", "thread-2")] {
        let one = try await server.exchange(Server.request("GET", "\(path)/sessions/s"))
        #expect(one.json["thread_id"]?.stringValue == thread)
      }
      #expect(await server.status(Server.request("DELETE", "/v1/sessions/s")) == 200)
      let empty = try await server.exchange(Server.request("GET", "/v1/sessions"))
      #expect(empty.json["total"] == 0)
      #expect(await server.status(Server.request("DELETE", "/chat/v1/sessions/s")) == 404)
    }
  }

  /// Their turns may run at the same time: they are two places.
  @Test @LoopActor
  func theConversationsOfTwoProfilesDoNotWaitForEachOther() async throws {
    try await Server.run { server in
      let agent = try await server.connect()
      agent.send(Self.chat("/v1/chat/completions", session: "s"))
      _ = try await server.turn(1)
      let chat = try await server.connect()
      chat.send(Self.chat("/chat/v1/chat/completions", session: "s"))
      _ = try await server.turn(2)
      for turn in server.engine.started { turn.answer(["a"]) }
      for client in [agent, chat] {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  @Test @LoopActor
  func aSessionOfOneProfileIsFoundUnderTheOther() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      #expect(await server.status(Self.chat("/chat/v1/chat/completions", session: "s")) == 200)
      let found = try await server.exchange(Server.request("GET", "/v1/sessions/s"))
      #expect(found.json["profile"] == "chat")
      let pages = [("after=s", 400), ("after=s&after_profile=chat", 200), ("after=s&after_profile=x", 400)]
      for (query, status) in pages {
        #expect(await server.status(Server.request("GET", "/v1/sessions?\(query)")) == status)
      }
    }
  }

  /// A changed system prompt is told to an agent beside the history, and takes the place of a chat's.
  @Test(arguments: ProfileKind.allCases) @LoopActor
  func aChangedSystemPromptIsToldInTheWayOfItsProfile(_ kind: ProfileKind) async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      for prompt in ["first", "second", "second"] {
        let messages = #"[{"role":"system","content":"\#(prompt)"},{"role":"user","content":"hi"}]"#
        let body = #"{"session_id":"s","messages":\#(messages)}"#
        let request = Server.chat(body: body, path: "/\(kind.rawValue)/v1/chat/completions")
        #expect(await server.status(request) == 200)
      }
      let asked = server.engine.started.map(\.request)
      #expect(asked.map(\.changesInstructions) == [false, true, false])
      #expect(asked.map(\.instructions) == ["first", "second", "second"])
      #expect(asked.map(\.history.count) == [0, kind == .agent ? 1 : 0, 0])
    }
  }
}
