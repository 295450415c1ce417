// The names of all methods of the app-server that the bridge calls or understands. They are written nowhere else.

/// Calls to the app-server.
enum Method {
  static let initialize = "initialize"
  static let initialized = "initialized"
  static let accountRead = "account/read"
  static let rateLimitsRead = "account/rateLimits/read"
  static let configRead = "config/read"
  static let modelList = "model/list"
  static let threadStart = "thread/start"
  static let threadResume = "thread/resume"
  static let threadRead = "thread/read"
  static let threadFork = "thread/fork"
  static let threadRevert = "thread/revert"
  static let threadDelete = "thread/delete"
  static let threadUnsubscribe = "thread/unsubscribe"
  static let threadInjectItems = "thread/inject_items"
  static let threadLoadedList = "thread/loaded/list"
  static let cleanBackgroundTerminals = "thread/backgroundTerminals/clean"
  static let commandExec = "command/exec"
  static let turnStart = "turn/start"
  static let turnInterrupt = "turn/interrupt"
  static let turnSteer = "turn/steer"
}

/// Notifications of the app-server.
enum Notification {
  static let answerDelta = "item/agentMessage/delta"
  static let itemStarted = "item/started"
  static let itemCompleted = "item/completed"
  static let reasoningSummaryDelta = "item/reasoning/summaryTextDelta"
  static let reasoningSummaryPart = "item/reasoning/summaryPartAdded"
  static let reasoningTextDelta = "item/reasoning/textDelta"
  static let commandOutputDelta = "item/commandExecution/outputDelta"
  /// An item of the model's response, or one that Codex adds to the history itself, as the Responses API has it.
  static let rawItem = "rawResponseItem/completed"
  static let rawResponseCompleted = "rawResponse/completed"
  static let tokenUsage = "thread/tokenUsage/updated"
  static let error = "error"
  static let turnCompleted = "turn/completed"
  static let threadClosed = "thread/closed"
  static let accountUpdated = "account/updated"
  static let loginCompleted = "account/login/completed"
  static let rateLimits = "account/rateLimits/updated"
  static let warning = "warning"
  static let configWarning = "configWarning"
  static let toolServerStatus = "mcpServer/startupStatus/updated"
  static let requestResolved = "serverRequest/resolved"

  /// Notifications that the bridge has no use for. It asks Codex not to send them.
  static let unwanted: [JSONValue] = [
    "thread/started", "thread/status/changed", "thread/settings/updated", "turn/started", "turn/diff/updated",
    "remoteControl/status/changed", "skills/changed",
    "thread/readState/changed", "thread/reverted", "thread/deleted",
  ]
}

/// Requests of the app-server to its client.
enum ServerRequest {
  static let commandApproval = "item/commandExecution/requestApproval"
  static let fileChangeApproval = "item/fileChange/requestApproval"
  static let permissionsApproval = "item/permissions/requestApproval"
  static let elicitation = "mcpServer/elicitation/request"
  static let userInput = "item/tool/requestUserInput"
  static let toolCall = "item/tool/call"
}

/// A version of the Codex CLI.
struct CodexVersion: Sendable, Comparable, CustomStringConvertible {
  /// The oldest version whose app-server speaks what the bridge needs.
  static let required = CodexVersion(0, 150, 0)

  private let parts: [Int]

  init(_ parts: Int...) { self.parts = parts }

  /// Reads "0.163.0" out of text such as "bridge/0.163.0 (Debian 12; x86_64)" or "codex-cli 0.163.0".
  init?(in text: String) {
    let candidates = text.split { !($0.isNumber || $0 == ".") }
    for candidate in candidates {
      let parts = candidate.split(separator: ".").map { Int($0) }
      if parts.count >= 3, parts.allSatisfy({ $0 != nil }) {
        self.parts = parts.prefix(3).compactMap(\.self)
        return
      }
    }
    return nil
  }

  var description: String { parts.map(String.init).joined(separator: ".") }

  static func < (left: CodexVersion, right: CodexVersion) -> Bool {
    left.parts.lexicographicallyPrecedes(right.parts)
  }
}
