// Calls to the app-server whose results are awaited. A failed call throws an `EngineError`.

extension AppServer {
  private enum CallLimit {
    /// How often a call is sent while the engine is too busy. With the pauses that is one and a half seconds; more attempts
    /// would delay the error, fewer would fail in a short burst.
    static let attempts = 6
    /// The pause after the first attempt. Each further pause is twice as long.
    static let firstPause = Duration.milliseconds(50)
  }

  /// Calls the app-server and returns the result. While the engine is too busy, the call is sent again after growing
  /// pauses.
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
        // No turn runs yet when a call is made, so to the caller this is an engine that is starting again.
        throw .unavailable(.starting)
      } catch .unresponsive {
        checkHealth()
        throw .unresponsive
      }
    }
    throw .overloaded
  }

  /// Runs a harmless command in the read-only sandbox. Returns nil if that works, else what went wrong and what to do.
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
