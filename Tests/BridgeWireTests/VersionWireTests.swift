// GET /version, and the client of the commands against a real gateway.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct VersionWireTests {
  @Test(arguments: ["/version", "/v1/version"]) @LoopActor
  func everybodyLearnsTheVersionAndHoldersOfAKeyMore(_ path: String) async throws {
    try await GatewayServer.run { server in
      server.engine.status.version = "0.163.0"
      for key in [nil, "wrong"] as [String?] {
        let response = try await server.exchange(GatewayServer.request("GET", path, key: key))
        #expect(response.status == 200)
        #expect(response.body == #"{"version":"\#(BridgeVersion.text)"}"#)
      }
      let response = try await server.exchange(GatewayServer.request("GET", path))
      let body = try JSONValue(parsing: Array(response.body.utf8))
      #expect(body["version"]?.stringValue == BridgeVersion.text)
      #expect(body["codex"]?.stringValue == "0.163.0")
      #expect(body["commit"] == .text(BridgeVersion.commit))
    }
  }

  // MARK: Commands

  private func ask(_ target: String, port: Int, key: String) async -> Result<JSONValue, CommandFailure> {
    await Loop.offLoop {
      Result { () throws(CommandFailure) in
        let settings = ["PORT": String(port), "CODEX_BRIDGE_API_KEY": key]
        guard let configuration = try? Configuration(sources: [.init(.flag, settings)]) else {
          throw CommandFailure(.failed, "no configuration")
        }
        return try BridgeClient.connect(configuration).get(target)
      }
    }
  }

  @Test @LoopActor
  func aCommandGetsAnAnswerOrLearnsWhyNot() async throws {
    try await GatewayServer.run { server in
      let (port, key) = (server.port, GatewayServer.key)
      let list = try await ask("/v1/sessions", port: port, key: key).get()
      #expect(list["total"]?.intValue == 0)
      let cases: [(String, String, CommandFailure.Status)] = [
        ("/v1/sessions", "wrong", .keyRefused), ("/v1/sessions/none", key, .notFound), ("/nothing", key, .failed),
        ("/metrics", key, .notRunning),
      ]
      for (target, key, status) in cases {
        let answer = await ask(target, port: port, key: key)
        guard case .failure(let failure) = answer else {
          Issue.record("\(target): \(answer)")
          continue
        }
        #expect(failure.status == status, "\(failure)")
        #expect(!failure.description.contains("wrong"))
      }
    }
  }
}
