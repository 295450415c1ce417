// Why the engine could not do what it was asked.

/// A failure of the engine or of a turn.
enum EngineError: Error, Sendable, Equatable, CustomStringConvertible {
  /// No turn can be started now.
  case unavailable(EngineUnavailability)
  /// The engine does not know the thread (any more).
  case threadNotFound(ThreadID)
  /// The engine refused a call, with this message.
  case rejected(String)
  /// The engine was too busy to accept a call.
  case overloaded
  /// The turn ran and failed.
  case turnFailed(TurnFailure)
  /// The engine's process ended while the turn ran.
  case crashed
  /// The turn ran for too long, or (`isSilence`) the engine reported nothing about it for too long.
  case timedOut(after: Duration, isSilence: Bool)
  /// For this long the turn did nothing but try to reach the model provider. `hasActed` tells whether the model had done
  /// something in the turn before.
  case providerUnreachable(detail: String, after: Duration, hasActed: Bool)
  /// The engine did not answer a call in time.
  case unresponsive
  /// The turn was not started because it asked for a right that its key may not have.
  case forbidden(ProfileRefusal)
  /// The client left before the turn started.
  case cancelled

  /// For log lines.
  var description: String {
    switch self {
    case .unavailable(let reason): reason.message
    case .threadNotFound(let thread): "Codex does not know the thread \(thread)"
    case .rejected(let message): "Codex refused: \(message)"
    case .overloaded: "Codex is too busy"
    case .turnFailed(let failure): "\(failure.name): \(failure.message)"
    case .crashed: "the Codex process ended"
    case .timedOut(let limit, let isSilence): "\(isSilence ? "no progress" : "no end") within \(limit.inSeconds) s"
    case .providerUnreachable(let detail, let limit, _):
      "the model provider could not be reached for \(limit.inSeconds) s: \(detail)"
    case .unresponsive: "Codex did not answer"
    case .forbidden(let refusal): "the key may not have \(refusal)"
    case .cancelled: "cancelled"
    }
  }
}

/// Why no turn can be started. The messages also say what to do about it.
enum EngineUnavailability: Sendable, Equatable {
  case starting
  case missing(program: String)
  case notExecutable(program: String)
  case tooOld(version: String, required: String)
  /// `command` is a line for a shell that logs in the Codex which the bridge uses.
  case notLoggedIn(command: String)
  /// Codex cannot read its configuration. `detail` says where and why.
  case configInvalid(detail: String)
  /// The Codex process ends, or does not answer, whenever it is started.
  case failing(detail: String)
  /// The Codex process runs and has stopped answering.
  case unresponsive
  case draining

  var isLoggedOut: Bool { if case .notLoggedIn = self { true } else { false } }

  /// The machine-readable reason of `/ready` and of errors.
  var code: String {
    switch self {
    case .starting: "starting"
    case .missing: "codex_missing"
    case .notExecutable: "codex_not_executable"
    case .tooOld: "codex_too_old"
    case .notLoggedIn: "not_logged_in"
    case .configInvalid: "codex_config_invalid"
    case .failing: "codex_failing"
    case .unresponsive: "codex_unresponsive"
    case .draining: "draining"
    }
  }

  var message: String {
    switch self {
    case .starting: "Codex is starting; try again in a moment."
    case .missing(let program):
      "The Codex CLI was not found (\(program)). Install it with `npm install -g @openai/codex` or deploy/install.sh, "
        + "or set CODEX_BIN to where it is; after `pip install openai-codex-cli-bin` that is "
        + "…/site-packages/codex_cli_bin/bin/codex."
    case .notExecutable(let program):
      "\(program) cannot be executed. Check CODEX_BIN and the file's permissions."
    case .tooOld(let version, let required):
      "Codex \(version) is too old; version \(required) or newer is needed. Update the Codex CLI."
    case .notLoggedIn(let command): "Codex is not logged in. Run: \(command)"
    case .configInvalid(let detail):
      "Codex cannot read its configuration: \(detail). Mend that file; nothing has to be started again."
    case .failing(let detail): "Codex does not start: \(detail)"
    case .unresponsive: "Codex does not answer; it is restarted if that lasts. Try again in a moment."
    case .draining: "The bridge is shutting down."
    }
  }
}
