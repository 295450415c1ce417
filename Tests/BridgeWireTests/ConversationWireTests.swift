// /v1/conversations as clients use it, and responses in conversations (responses.md §9).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ConversationWireTests {
  private static let keys = ["CODEX_BRIDGE_API_KEY": "alice-key,bob-key"]

  private func post(_ path: String, _ body: String, key: String? = GatewayServer.key) -> String {
    GatewayServer.post("/v1/conversations\(path)", body, key: key)
  }

  private func get(_ path: String, _ method: String = "GET", key: String? = GatewayServer.key) -> String {
    GatewayServer.request(method, "/v1/conversations\(path)", key: key)
  }

  @LoopActor
  private func make(_ server: GatewayServer, _ body: String = "{}") async throws -> String {
    let response = try await server.exchange(post("", body))
    #expect(response.status == 200)
    return response.json.id
  }

  /// The texts of all items, the first one first.
  @LoopActor
  private func texts(_ server: GatewayServer, _ id: String) async throws -> [String] {
    let list = try await server.exchange(get("/\(id)/items?order=asc&limit=100")).json
    return (list["data"]?.arrayValue ?? []).map { $0["content"]?.arrayValue?.first?["text"]?.stringValue ?? "-" }
  }

  @Test @LoopActor
  func aConversationIsMadeShownChangedAndDeleted() async throws {
    try await GatewayServer.run { server in
      let made = try await server.exchange(post("", #"{"metadata":{"a":"b"},"items":[]}"#)).json
      #expect(made.id.hasPrefix("conv_") && made["object"] == "conversation" && made["metadata"] == ["a": "b"])
      #expect(made["created_at"]?.intValue != nil)
      #expect(try await server.exchange(get("/\(made.id)")).json == made)
      let changed = try await server.exchange(post("/\(made.id)", #"{"metadata":{"c":"d"}}"#)).json
      #expect(changed["metadata"] == ["c": "d"] && changed.id == made.id)
      #expect(try await server.exchange(get("/\(made.id)")).json == changed)
      let deleted = try await server.exchange(get("/\(made.id)", "DELETE"))
      #expect(deleted.json == ["id": .string(made.id), "object": "conversation.deleted", "deleted": true])
      for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/items"), ("GET", "/items/x")] {
        #expect(await server.status(get("/\(made.id)\(path)", method)) == 404)
      }
      #expect(await server.status(post("/\(made.id)", "{}")) == 404)
      #expect(await server.status(post("/\(made.id)/items", #"{"items":[]}"#)) == 404)
    }
  }

  /// Clients send all of these for a new one.
  @Test(arguments: ["{}", #"{"items":[]}"#, #"{"items":null,"metadata":null}"#])
  @LoopActor
  func aConversationNeedsNothing(_ body: String) async throws {
    try await GatewayServer.run { server in
      let made = try await server.exchange(post("", body))
      #expect(made.status == 200 && made.json["metadata"] == [:])
      let bare = try await server.exchange(get("", "POST"))
      #expect(bare.status == 200 && bare.json.id != made.json.id)
    }
  }

  @Test @LoopActor
  func itemsAreAddedListedAndTakenOut() async throws {
    try await GatewayServer.run { server in
      let id = try await make(server, #"{"items":[{"role":"user","content":"one"}]}"#)
      let added = try await server.exchange(
        post(
          "/\(id)/items",
          #"{"items":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"two"}]},"three"]}"#
        ))
      #expect(added.status == 200 && added.json["object"] == "list" && added.json["has_more"] == false)
      #expect(added.json["data"]?.arrayValue?.count == 2)
      #expect(try await texts(server, id) == ["one", "two", "three"])
      let page = try await server.exchange(get("/\(id)/items?limit=2")).json
      #expect(page["has_more"] == true && page["data"]?.arrayValue?.count == 2)
      let last = page["last_id"]?.stringValue ?? ""
      let rest = try await server.exchange(get("/\(id)/items?limit=2&after=\(last)")).json
      #expect(rest["has_more"] == false && rest["data"]?.arrayValue?.count == 1)
      let item = try await server.exchange(get("/\(id)/items/\(last)"))
      #expect(item.status == 200 && item.json.id == last && item.json["role"] == "assistant")
      let without = try await server.exchange(get("/\(id)/items/\(last)", "DELETE"))
      #expect(without.json.id == id && without.json["object"] == "conversation")
      #expect(try await texts(server, id) == ["one", "three"])
      for method in ["GET", "DELETE"] { #expect(await server.status(get("/\(id)/items/\(last)", method)) == 404) }
    }
  }

  @Test(arguments: [
    (#"{"items":5}"#, "items"), (#"{"items":[5]}"#, "items[0]"),
    (#"{"items":[{"role":"robot"}]}"#, "items[0].role"),
    (#"{"metadata":5}"#, "metadata"), (#"{"metadata":"x"}"#, "metadata"),
  ])
  @LoopActor
  func refusesByName(_ body: String, _ param: String) async throws {
    try await GatewayServer.run { server in
      let response = try await server.exchange(post("", body))
      #expect(response.status == 400 && response.json["error"]?["param"] == .string(param))
      let id = try await make(server)
      if body.contains("items") {
        #expect(try await server.exchange(post("/\(id)/items", body)).json["error"]?["param"] == .string(param))
      } else {
        #expect(try await server.exchange(post("/\(id)", body)).json["error"]?["param"] == .string(param))
      }
    }
  }

  @Test(arguments: ["", "[]", "5", "{", "\"x\""])
  @LoopActor
  func whatIsNoObjectIsRefused(_ body: String) async throws {
    try await GatewayServer.run { server in
      let id = try await make(server)
      // A new conversation needs no body.
      for path in ["/\(id)", "/\(id)/items"] + (body.isEmpty ? [] : [""]) {
        #expect(await server.status(post(path, body)) == 400, "\(path)")
      }
    }
  }

  @Test @LoopActor
  func metadataHasALimit() async throws {
    try await GatewayServer.run { server in
      let long = String(repeating: "x", count: 64 << 10)
      let response = try await server.exchange(post("", #"{"metadata":{"a":"\#(long)"}}"#))
      #expect(response.status == 400 && response.json["error"]?["param"] == "metadata")
    }
  }

  @Test @LoopActor
  func anotherKeySeesNothing() async throws {
    try await GatewayServer.run(Self.keys) { server in
      let made = try await server.exchange(
        post("", #"{"items":[{"role":"user","content":"one"}]}"#, key: "alice-key"))
      let id = made.json.id
      for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/items")] {
        #expect(await server.status(get("/\(id)\(path)", method, key: "bob-key")) == 404)
      }
      #expect(await server.status(post("/\(id)/items", #"{"items":[]}"#, key: "bob-key")) == 404)
      let response = GatewayServer.response(more: #","conversation":"\#(id)""#, key: "bob-key")
      #expect(await server.status(response) == 404)
      #expect(await server.status(get("/\(id)", key: "alice-key")) == 200)
    }
  }

  // MARK: Responses

  @Test @LoopActor
  func responsesGoOnInTheirConversation() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["answer"])
      let id = try await make(server, #"{"items":[{"role":"user","content":"before"}]}"#)
      let more = #","conversation":{"id":"\#(id)"}"#
      let first = try await server.exchange(GatewayServer.response("one", more: more)).json
      #expect(first["conversation"] == ["id": .string(id)])
      #expect(try await texts(server, id) == ["before", "one", "answer"])
      _ = try await server.exchange(post("/\(id)/items", #"{"items":[{"role":"user","content":"between"}]}"#))
      #expect(await server.status(GatewayServer.response("two", more: more)) == 200)
      #expect(try await texts(server, id) == ["before", "one", "answer", "between", "two", "answer"])
      let turns = server.engine.started
      #expect(turns[1].threadID == turns[0].threadID)
      let told = turns.map { "\($0.request.history) \($0.request.input)" }
      #expect(told[0].contains("before") && told[0].contains("one"))
      #expect(told[1].contains("between") && told[1].contains("two") && !told[1].contains("before"))
    }
  }

  /// What was taken out must not be known to the model any more.
  @Test @LoopActor
  func aConversationThatHasChangedBeginsAnew() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["answer"])
      let id = try await make(server)
      let more = #","conversation":"\#(id)""#
      _ = try await server.exchange(GatewayServer.response("secret", more: more))
      _ = try await server.exchange(GatewayServer.response("two", more: more))
      let list = try await server.exchange(get("/\(id)/items?order=asc")).json["data"]?.arrayValue ?? []
      _ = try await server.exchange(get("/\(id)/items/\(try #require(list.first).id)", "DELETE"))
      #expect(await server.status(GatewayServer.response("three", more: more)) == 200)
      let last = try #require(server.engine.started.last).request
      #expect(last.thread != .existing(ThreadID("thread-1")))
      let told = "\(last.history) \(last.input)"
      #expect(!told.contains("secret") && told.contains("two") && told.contains("three"))
    }
  }

  /// The thread has what was asked from then on, and nobody was told all of the answer.
  @Test @LoopActor
  func aFailureAddsWhatWasAsked() async throws {
    try await GatewayServer.run { server in
      let id = try await make(server)
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.ended(.failed(.crashed)))
      }
      let more = #","conversation":"\#(id)""#
      #expect(await server.status(GatewayServer.response("one", more: more)) >= 500)
      #expect(try await texts(server, id) == ["one"])
      server.answerAll(["a"])
      #expect(await server.status(GatewayServer.response("two", more: more + #","store":false"#)) == 200)
      #expect(try await texts(server, id) == ["one", "two", "a"])
    }
  }
}
