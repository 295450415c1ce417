// Calls whose results are needed, with the engine's failures in the bridge's words.

extension AppServer {
  private enum CallLimit {
    /// Attempts at a call that the engine is too busy for.
    static let attempts = 6
    /// The pause after the first of them; each further one is twice as long.
    static let firstPause = Duration.milliseconds(50)
  }

  /// The result of a call; repeated with growing pauses while the engine is too busy to take it.
  func call(_ method: String, _ params: JSONValue) async throws(EngineError) -> JSONValue {
    var pause = CallLimit.firstPause
    for attempt in 1... {
      guard let rpc else { throw .unavailable(unavailability ?? .starting) }
      do throws(EngineError) {
        return try CodexPayload.result(of: await rpc.call(method, params))
      } catch .overloaded where attempt < CallLimit.attempts {
        await Loop.sleep(pause)
        pause = pause * 2
      } catch .crashed {
        // Nothing ran yet, so the caller may simply try again.
        throw .unavailable(.starting)
      } catch .unresponsive {
        checkHealth()
        throw .unresponsive
      }
    }
    throw .overloaded
  }

  /// Runs a harmless command in the read-only sandbox. Nil if that works, else what went wrong and what to do.
  func sandboxFailure(in directory: String) async -> String? {
    let params: JSONValue = [
      "command": ["/bin/true"], "cwd": .string(directory), "sandboxPolicy": ["type": "readOnly"],
      "timeoutMs": 5000,
    ]
    do throws(EngineError) {
      let result = try await call(Method.commandExec, params)
      if result["exitCode"]?.intValue == 0 { return nil }
      let reason = result["stderr"]?.stringValue?.trimmingSpaces() ?? ""
      return "commands cannot be run in it (\(reason)); allow user namespaces, or choose "
        + "\(Settings.sandboxMode.name)=danger-full-access where the whole machine is the sandbox"
    } catch {
      return "it cannot be tried: \(error)"
    }
  }
}
