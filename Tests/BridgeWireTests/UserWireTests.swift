// Users of an Open WebUI behind one key: with a secret, what one says is never part of another's session.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct UserWireTests {
  private static let settings = ["CODEX_OPENWEBUI_JWT_SECRET": UserToken.secret]

  private func chat(_ token: String?, chat: String? = "c", more: String = "") -> String {
    let fields = token.map { ["X-OpenWebUI-User-Jwt: \($0)"] } ?? []
    return GatewayServer.chat(more: more, fields: fields + (chat.map { ["X-OpenWebUI-Chat-Id: \($0)"] } ?? []))
  }

  @Test @LoopActor
  func oneChatIDOfTwoUsersIsTwoConversations() async throws {
    try await GatewayServer.run(Self.settings) { server in
      server.answerAll(["a"])
      for user in ["ann", "bob", "ann"] {
        let response = try await server.exchange(chat(UserToken(user: user).text))
        #expect(response.status == 200)
        #expect(response.field("x-bridge-session") == "\(user):c")
        #expect(response.field("x-bridge-session-source") == "x-openwebui-chat-id")
      }
      #expect(server.engine.started.map { $0.threadID?.raw } == ["thread-1", "thread-2", "thread-1"])
    }
  }

  /// Open WebUI passes on what a user adds to the body.
  @Test @LoopActor
  func noFieldLeadsToTheSessionOfAnother() async throws {
    try await GatewayServer.run(Self.settings) { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat(UserToken(user: "ann").text))
      for (more, id) in [
        (#","session_id":"c""#, "bob:c"), (#","conversation_id":"ann:c""#, "bob:ann:c"),
        (#","user":"ann:c""#, "bob:ann:c"), (#","session_id":"bob:c""#, "bob:c"),
      ] {
        let response = try await server.exchange(chat(UserToken(user: "bob").text, chat: nil, more: more))
        #expect(response.field("x-bridge-session") == id, "\(more)")
      }
      let odd = try await server.exchange(chat(UserToken(user: "ann:c%").text, chat: "c"))
      #expect(odd.field("x-bridge-session") == "ann%3Ac%25:c")
      #expect(server.engine.started.count { $0.threadID?.raw == "thread-1" } == 1)
    }
  }

  /// With the same words, of no chat: neither the answer that runs nor the one that is kept is another person's.
  @Test @LoopActor
  func nobodyGetsTheAnswerOfAnother() async throws {
    let settings = Self.settings.merging(["CODEX_RETRY_GRACE": "10m"]) { first, _ in first }
    try await GatewayServer.run(settings) { server in
      let ask = { (user: String, count: Int) in
        GatewayServer.chat(
          "the same",
          fields: ["X-OpenWebUI-User-Jwt: \(UserToken(user: user).text)", "X-Stainless-Retry-Count: \(count)"])
      }
      let ann = try await server.connect()
      ann.send(ask("ann", 0))
      let first = try await server.turn(1)
      ann.close()
      #expect(await eventually { server.connectionCount == 0 })
      let bob = try await server.connect()
      bob.send(ask("bob", 1))
      try await server.turn(2).answer(["for bob"])
      let forBob = try #require(await bob.responses(1).first)
      #expect(forBob.body.contains("for bob"))
      #expect(forBob.field("x-bridge-joined") == nil)
      bob.close()
      first.answer(["for ann"])
      let forAnn = try await server.exchange(ask("ann", 1))
      #expect(forAnn.body.contains("for ann"))
      #expect(forAnn.field("x-bridge-joined") != nil)
      server.answerAll(["for cid"])
      #expect(try await server.exchange(ask("cid", 1)).body.contains("for cid"))
      #expect(server.engine.started.count == 3)
    }
  }

  @Test @LoopActor
  func whoeverIsNotVerifiedIsRefused() async throws {
    try await GatewayServer.run(Self.settings) { server in
      var forged = UserToken(user: "ann")
      forged.secret = "guessed"
      let old = UserToken(user: "ann", at: unixTime() - 1000)
      for (request, word) in [
        (chat(forged.text), "signed"), (chat(old.text), "expired"), (chat("x"), "token"),
        (chat(old.text, chat: nil), "expired"), (chat(nil), "FORWARD_USER_INFO_HEADER_JWT_SECRET"),
      ] {
        let response = try await server.exchange(request)
        #expect(response.status == 401)
        #expect(response.error("code") == "invalid_user_token")
        #expect(response.error("type") == "invalid_request_error")
        #expect(response.error("param") == .null)
        #expect(response.error("message")?.stringValue?.contains(word) == true, "\(word)")
        #expect(response.field("x-should-retry") == "false")
      }
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test @LoopActor
  func otherClientsOfTheKeyNeedNoToken() async throws {
    try await GatewayServer.run(Self.settings) { server in
      server.answerAll(["a"])
      let named = try await server.exchange(chat(nil, chat: nil, more: #","session_id":"c""#))
      #expect(named.field("x-bridge-session") == "c")
      #expect(await server.status(chat(nil, chat: nil)) == 200)
      #expect(await server.status(chat(nil, chat: "temporary:1")) == 200)
      #expect(await server.status(chat(UserToken(user: "ann").text, chat: nil)) == 200)
    }
  }

  @Test @LoopActor
  func withoutASecretNobodyIsBelieved() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for token in [UserToken(user: "ann").text, "x", nil] {
        let response = try await server.exchange(chat(token))
        #expect(response.field("x-bridge-session") == "c")
      }
      #expect(server.engine.started.map { $0.threadID?.raw } == ["thread-1", "thread-1", "thread-1"])
    }
  }
}
