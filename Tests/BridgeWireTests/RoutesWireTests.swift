// Everything around a turn: paths, keys, hosts, CORS, models, sessions, health.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct RoutesWireTests {
  private typealias Server = GatewayServer

  @Test @LoopActor
  func pathsAreForgiving() async throws {
    try await GatewayServer.run { server in
      for path in [
        "/v1/models", "/models", "//v1//models", "/v1/models/", "/models//", "/v1/models?limit=1", "//models/?a=b",
        "http://localhost/v1/models", "/v1/%6Dodels",
      ] {
        #expect(await server.status(Server.request("GET", path)) == 200, "\(path)")
      }
      server.answerAll(["a"])
      let body = #"{"messages":[{"role":"user","content":"hi"}]}"#
      for path in [
        "/chat/completions", "/v1/chat/completions/", "//v1//chat//completions", "/chat/completions?x=y",
      ] {
        #expect(await server.status(Server.chat(body: body, path: path)) == 200, "\(path)")
      }
    }
  }

  /// A refusal that needs no waiting must not come before the body that came with its request has been read.
  @Test(arguments: ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"])
  @LoopActor
  func anAnswerAtOnceKeepsTheConnectionForTheNextRequest(_ body: String) async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(
        "POST /health HTTP/1.1\r\nHost: localhost\r\n\(body)" + Server.request("GET", "/health", key: nil))
      #expect(await client.responses(2).map(\.status) == [405, 200])
      client.close()
    }
  }

  @Test @LoopActor
  func unknownPathsAre404() async throws {
    try await GatewayServer.run { server in
      for path in ["/nothing", "/v1", "/v1/v1/models", "/v1/models/a/b", "/v1/chat", "/..%2f", "/%zz", "/%ff"] {
        let response = try await server.exchange(Server.request("GET", path))
        if path == "/v1" { continue }
        #expect(response.status == 404, "\(path)")
        #expect(response.field("content-type") == "application/json")
        for key in ["message", "type", "param", "code"] { #expect(response.error(key) != nil, "\(path): \(key)") }
      }
    }
  }

  /// What is not offered is asked for by clients that can be told otherwise.
  @Test(arguments: [
    ("/v1/responses/compact", "by itself"), ("/v1/responses/input_tokens", "usage"),
    ("/v1/assistants", "/v1/responses"), ("/v1/threads/x/runs", "conversation"), ("/v1/files", "text file"),
    ("/v1/embeddings", "another server"), ("/v1/completions/completions", "base URL"),
    ("/agent/completions", "/agent/v1"),
    ("/v1/v1/chat/completions", "base URL"), ("/v1/chat/completions/chat/completions", "base URL"),
    ("/v1/messages", "OpenAI"), ("/api/chat", "OpenAI"),
  ])
  @LoopActor
  func pathsThatAreNotOfferedAre404WithAdvice(_ path: String, _ advice: String) async throws {
    try await GatewayServer.run { server in
      let response = try await server.exchange(
        Server.request("POST", path, ["Content-Type: application/json", "Content-Length: 2"]) + "{}")
      #expect(response.status == 404)
      #expect(response.error("message")?.stringValue?.contains(advice) == true, "\(response.body)")
      #expect(response.error("code") == "not_found")
    }
  }

  @Test @LoopActor
  func wrongMethodsAre405WithAllow() async throws {
    try await GatewayServer.run { server in
      for (method, path, allowed) in [
        ("GET", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET"), ("DELETE", "/health", "GET"),
        ("PUT", "/v1/sessions/a", "DELETE"), ("PATCH", "/v1/chat/completions", "POST"),
        ("get", "/health", "GET"), ("GET", "/v1/completions", "POST"),
      ] {
        let response = try await server.exchange(Server.request(method, path))
        #expect(response.status == 405, "\(method) \(path)")
        let allow = response.field("allow")?.split(separator: ",").map { $0.trimmingSpaces() } ?? []
        #expect(allow.contains(allowed), "\(method) \(path): \(allow)")
        #expect(response.error("message")?.stringValue?.isEmpty == false)
      }
      let head = try await server.exchange(Server.request("HEAD", "/v1/chat/completions"), isHead: true)
      #expect(head.status == 405)
    }
  }

  @Test @LoopActor
  func theRootIsAPageForBrowsersOnly() async throws {
    try await GatewayServer.run { server in
      let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
      for (accept, type) in [
        (browser, "text/html; charset=utf-8"), ("Accept: */*", "application/json"),
        ("Accept: application/json", "application/json"), ("X-Nothing: 1", "application/json"),
      ] {
        let answer = try await server.exchange(Server.request("GET", "/", [accept]))
        #expect(answer.status == 200 && answer.field("content-type") == type, "\(accept)")
        #expect(answer.field("vary") == "Accept")
      }
      let answer = try await server.exchange(Server.request("GET", "/"))
      #expect(answer.json["version"] == .string(BridgeVersion.text))
    }
  }

  @Test @LoopActor
  func headWorksWhereGetDoes() async throws {
    try await GatewayServer.run { server in
      for path in ["/health", "/ready", "/", "/v1/models", "/v1/models/gpt-test", "/v1/sessions"] {
        let get = try await server.exchange(Server.request("GET", path))
        let client = try await server.connect()
        client.send(Server.request("HEAD", path, ["Connection: close"]))
        await client.waitForEnd()
        let head = try #require(TestResponse.parse(bytes: client.received, isHead: true).first)
        #expect(head.status == get.status)
        #expect(head.field("content-length") == get.field("content-length"), "\(path)")
        #expect(client.text.hasSuffix("\r\n\r\n"))
        client.close()
      }
    }
  }

  // MARK: Keys

  @Test @LoopActor
  func everyFormOfAKeyIsTaken() async throws {
    try await GatewayServer.run(["CODEX_BRIDGE_API_KEY": "first,second"]) { server in
      for field in [
        "Authorization: Bearer first", "authorization: bearer second", "Authorization: BEARER first",
        "api-key: first", "x-api-key: second", "X-API-Key: first", "Authorization: Bearer  first",
      ] {
        #expect(await server.status(Server.request("GET", "/models", [field], key: nil)) == 200, "\(field)")
      }
    }
  }

  @Test @LoopActor
  func wrongKeysAre401() async throws {
    try await GatewayServer.run(["CODEX_BRIDGE_API_KEY": "first,second"]) { server in
      let wrong: [[String]] = [
        [], ["Authorization: Bearer "], ["Authorization: Bearer"], ["Authorization: Bearer third"],
        ["Authorization: Basic first"], ["Authorization: first"], ["Authorization: Bearer first,second"],
        ["Authorization: Bearer firs"], ["Authorization: Bearer firstt"], ["Authorization: Bearer firstfirst"],
        ["api-key: "], ["x-api-key: third"], ["Authorization: Bearer FIRST"], ["Cookie: first"],
        ["Authorization: Bearer 123321"],
      ]
      for fields in wrong {
        for path in ["/v1/models", "/v1/sessions", "/metrics"] {
          let response = try await server.exchange(Server.request("GET", path, fields, key: nil))
          #expect(response.status == 401, "\(fields)")
          #expect(response.error("code") == "invalid_api_key")
          #expect(response.error("type") == "invalid_request_error")
          #expect(response.field("www-authenticate")?.isEmpty == false)
        }
      }
      let chat = try await server.exchange(Server.chat().replacing("Bearer 123321", with: "Bearer no"))
      #expect(chat.status == 401)
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test @LoopActor
  func aKeyIsCheckedBeforeTheBodyIsRead() async throws {
    try await GatewayServer.run { server in
      for (field, status) in [("Bearer no", 401), ("Bearer \(Server.key)", 413)] {
        let client = try await server.connect()
        client.send(
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: \(field)\r\n"
            + "Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n")
        await client.waitForEnd()
        #expect(client.text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(!client.text.contains("100 Continue"))
        client.close()
      }
    }
  }

  // MARK: Hosts and pages

  @Test @LoopActor
  func foreignHostsAreRefused() async throws {
    try await GatewayServer.run { server in
      for host in [
        "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "",
      ] {
        for path in ["/health", "/v1/models", "/"] {
          let response = try await server.exchange(
            "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer \(Server.key)\r\n\r\n")
          #expect(response.status == 403, "\(host)")
          #expect(response.error("message")?.stringValue?.isEmpty == false)
        }
      }
      for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:80", "[::1]", "a.localhost"] {
        let response = try await server.exchange("GET /health HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(response.status == 200, "\(host)")
      }
      // The authority of an absolute target counts, not the Host field beside it (RFC 9112 §3.2.2).
      let absolute = try await server.exchange(
        "GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(absolute.status == 403)
    }
    try await GatewayServer.run(["CODEX_ALLOWED_HOSTS": "bridge.example"]) { server in
      #expect(await server.status("GET /health HTTP/1.1\r\nHost: bridge.example:80\r\n\r\n") == 200)
      #expect(await server.status("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n") == 403)
    }
  }

  @Test @LoopActor
  func preflightsPassWithoutAKeyForConfiguredOrigins() async throws {
    try await GatewayServer.run(["CODEX_CORS_ORIGINS": "https://chat.example"]) { server in
      let asked = [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization, content-type, x-stainless-os, x-session-id",
      ]
      let allowed = try await server.exchange(
        Server.request("OPTIONS", "/v1/chat/completions", ["Origin: https://chat.example"] + asked, key: nil))
      #expect(allowed.status == 204 || allowed.status == 200)
      #expect(allowed.field("access-control-allow-origin") == "https://chat.example")
      #expect(allowed.field("access-control-allow-methods")?.contains("POST") == true)
      let headers = allowed.field("access-control-allow-headers")?.lowercased() ?? ""
      for name in ["authorization", "content-type", "x-stainless-os", "x-session-id"] {
        #expect(headers.contains(name))
      }
      #expect(allowed.field("vary")?.lowercased().contains("origin") == true)
      let foreign = try await server.exchange(
        Server.request("OPTIONS", "/v1/chat/completions", ["Origin: https://evil.example"] + asked, key: nil))
      #expect(foreign.field("access-control-allow-origin") == nil)
      // Errors must be readable for the page as well.
      let refused = try await server.exchange(
        Server.request("GET", "/v1/models", ["Origin: https://chat.example"], key: nil))
      #expect(refused.status == 401)
      #expect(refused.field("access-control-allow-origin") == "https://chat.example")
      let exposed = refused.field("access-control-expose-headers")?.lowercased() ?? ""
      #expect(exposed.contains("x-request-id") && exposed.contains("retry-after"))
    }
    try await GatewayServer.run { server in
      let response = try await server.exchange(
        Server.request("GET", "/v1/models", ["Origin: https://chat.example"]))
      #expect(response.field("access-control-allow-origin") == nil)
    }
  }

  @Test @LoopActor
  func anOriginCannotInjectFields() async throws {
    try await GatewayServer.run(["CODEX_CORS_ORIGINS": "*"]) { server in
      let response = try await server.exchange(
        Server.request(
          "OPTIONS", "/v1/models", ["Origin: https://a", "Access-Control-Request-Headers: a\u{85}b, <c>"], key: nil
        ))
      #expect(response.field("access-control-allow-headers")?.contains("<") == false)
    }
  }

  // MARK: Models

  /// A hidden model is on no list.
  @Test(
    arguments: [
      ([:], ["gpt-test", "gpt-other"]),
      (["CODEX_LIST_EFFORTS": "true"], ["gpt-test", "gpt-test:low", "gpt-test:high", "gpt-other"]),
    ] as [([String: String], [JSONValue])])
  @LoopActor
  func modelsAreListedWithTheirEffortsWhereTheSettingsSaySo(
    _ settings: [String: String], _ listed: [JSONValue]
  ) async throws {
    try await GatewayServer.run(settings) { server in
      server.engine.catalog.models.append(
        EngineModel(
          id: "gpt-hidden", displayName: nil, efforts: ["low"], defaultEffort: nil, isHidden: true,
          isDefault: false))
      let list = try await server.exchange(Server.request("GET", "/v1/models"))
      #expect(list.json["object"] == "list")
      let models = list.json["data"]?.arrayValue ?? []
      #expect(models.map { $0["id"] } == listed)
      for model in models {
        #expect(model["object"] == "model")
        #expect(model["created"]?.intValue != nil)
        #expect(model["owned_by"]?.stringValue?.isEmpty == false)
        #expect(model["name"]?.stringValue?.isEmpty == false)
      }
    }
  }

  @Test(arguments: [("house", ["house"]), ("", ["gpt-other"])]) @LoopActor
  func withoutTheListOneModelIsOffered(_ configured: String, _ offered: [String]) async throws {
    try await GatewayServer.run(["CODEX_DYNAMIC_MODELS": "false", "CODEX_MODEL": configured]) { server in
      server.engine.catalog.configuredModel = "gpt-other"
      let list = try await server.exchange(Server.request("GET", "/v1/models"))
      #expect(list.json["data"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == offered)
    }
  }

  @Test @LoopActor
  func aModelIsFoundByItsEncodedID() async throws {
    try await GatewayServer.run { server in
      server.engine.catalog.models.append(
        EngineModel(
          id: "vendor/model", displayName: nil, efforts: ["low"], defaultEffort: nil, isHidden: false,
          isDefault: false))
      for (path, id) in [
        ("gpt-test", "gpt-test"), ("gpt-test:high", "gpt-test:high"), ("gpt-test%3Ahigh", "gpt-test:high"),
        ("vendor%2Fmodel", "vendor/model"), ("vendor%2fmodel%3alow", "vendor/model:low"),
      ] {
        let response = try await server.exchange(Server.request("GET", "/v1/models/\(path)"))
        #expect(response.status == 200, "\(path)")
        #expect(response.json["id"] == .string(id))
      }
      let missing = try await server.exchange(Server.request("GET", "/v1/models/none"))
      #expect(missing.status == 404)
      #expect(missing.error("code") == "model_not_found")
    }
  }

  // MARK: Sessions

  @Test @LoopActor
  func sessionsAreListedReadAndForgotten() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for id in ["one", "two", "a/b c", "é"] {
        _ = try await server.exchange(Server.chat(more: ",\"session_id\":\"\(id)\""))
      }
      let list = try await server.exchange(Server.request("GET", "/v1/sessions"))
      #expect(list.json["object"] == "list")
      #expect(
        Set(list.json["data"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []) == [
          "one", "two", "a/b c", "é",
        ])
      let page = try await server.exchange(Server.request("GET", "/sessions?limit=1"))
      #expect(page.json["data"]?.arrayValue?.count == 1)
      #expect(page.json["has_more"] == true)
      #expect(await server.status(Server.request("GET", "/sessions?limit=0")) == 400)
      for path in ["one", "a%2Fb%20c", "%C3%A9"] {
        let response = try await server.exchange(Server.request("GET", "/v1/sessions/\(path)"))
        #expect(response.status == 200, "\(path)")
        #expect(response.json["thread_id"]?.stringValue?.hasPrefix("thread-") == true)
        #expect(response.json["turns"] == 1)
      }
      let deleted = try await server.exchange(Server.request("DELETE", "/v1/sessions/a%2Fb%20c"))
      #expect(deleted.status == 200)
      #expect(deleted.json["deleted"] == true)
      #expect(server.directory.read(".codex_threads.json")?.contains("a/b c") == false)
      let gone = try await server.exchange(Server.request("DELETE", "/v1/sessions/a%2Fb%20c"))
      #expect(gone.status == 404)
      #expect(gone.error("message")?.stringValue?.isEmpty == false)
      // A forgotten session begins anew.
      _ = try await server.exchange(Server.request("DELETE", "/sessions/one"))
      _ = try await server.exchange(Server.chat(more: #","session_id":"one""#))
      #expect(server.engine.started.last?.request.thread == .persistent)
    }
  }

  @Test @LoopActor
  func healthNeedsNoKey() async throws {
    try await GatewayServer.run { server in
      let health = try await server.exchange(Server.request("GET", "/health", key: nil))
      #expect(health.status == 200)
      #expect(health.json == ["status": "ok"])
      #expect(await server.status(Server.request("GET", "/ready", key: nil)) == 200)
    }
  }
}
