// The rights that a turn runs with, and the most that a key may be given. Pure values, independent of Codex's own words.

/// What a turn may do, and where. It comes from the key of a request and never from its content: no planner and no dialect
/// sees it.
struct TurnProfile: Sendable, Equatable {
  /// Whether Codex's tools, instructions and files are part of it.
  var kind = ProfileKind.agent
  /// The directory that commands run in. A sandbox that lets commands write lets them write here. Absolute, without links.
  var workingDirectory: String
  var sandbox: SandboxMode
  /// Whether commands may use the network in a sandbox that can open it (`workspaceWrite`).
  var networkAccess = false
  /// Whether the model may search the web.
  var webSearch = false
  /// Which actions a person is asked about first.
  var approvals: ApprovalPolicy
  /// The model of requests that name none; may carry an effort. Nil for the engine's own default.
  var defaultModel: String?
  /// How many tokens of a tool's output the model sees; longer output is cut in the middle. Nil for the engine's own
  /// default. A limit above that default has no effect.
  var toolOutputTokens: Int?

  /// Whether processes that a command starts can outlive it. They can outside the sandbox, where commands run in the mode
  /// `dangerFullAccess`, or after a person has approved it.
  var letsCommandsOutlive: Bool { sandbox == .dangerFullAccess || approvals != .never }
}

/// The widest rights that a key may have.
struct ProfileBounds: Sendable, Equatable {
  /// A turn's working directory has to be one of these or below one. Paths without links.
  var directories: [String]
  /// The widest sandbox.
  var sandbox: SandboxMode
  var networkAccess: Bool
  var webSearch: Bool
  /// The policies that may be chosen. This is a set because none of them is wider than another: `never` asks nobody but
  /// lets nothing out of the sandbox; the others ask first and let out what is approved.
  var approvals: Set<ApprovalPolicy>
  /// The largest limit of a tool's output that may be set; nil if only the engine's own default may be used.
  var toolOutputTokens: Int?

  /// Throws the first right that the profile has and these bounds do not allow. The default model is not checked: a key may
  /// use any model.
  func check(_ profile: TurnProfile) throws(ProfileRefusal) {
    guard isAllowed(directory: profile.workingDirectory) else { throw .workingDirectory }
    guard profile.sandbox.width <= sandbox.width else { throw .sandbox(profile.sandbox) }
    guard networkAccess || !profile.networkAccess else { throw .networkAccess }
    guard webSearch || !profile.webSearch else { throw .webSearch }
    guard approvals.contains(profile.approvals) else { throw .approvals(profile.approvals) }
    switch (profile.toolOutputTokens, toolOutputTokens) {
    case (nil, nil): break
    case (let tokens?, let limit?) where tokens <= limit: break
    default: throw .toolOutputTokens
    }
  }

  /// Paths with `.` or `..` are refused, because they could lead out of the directory that they begin with.
  private func isAllowed(directory: String) -> Bool {
    let parts = directory.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.first?.isEmpty == true, !parts.contains(where: { $0 == ".." || $0 == "." }) else { return false }
    return directories.contains { FileContents.isPath(directory, inside: $0) }
  }
}

/// A right that a profile has and its key may not have.
enum ProfileRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  case workingDirectory
  case sandbox(SandboxMode)
  case networkAccess
  case webSearch
  case approvals(ApprovalPolicy)
  case toolOutputTokens

  /// For people; names no directory of this machine.
  var description: String {
    switch self {
    case .workingDirectory: "the working directory"
    case .sandbox(let mode): "the sandbox \(mode.rawValue)"
    case .networkAccess: "network access"
    case .webSearch: "web search"
    case .approvals(let policy): "the approval policy \(policy.rawValue)"
    case .toolOutputTokens: "the limit of a tool's output"
    }
  }
}

extension SandboxMode {
  /// Each mode lets commands do all that one of a smaller number does.
  fileprivate var width: Int {
    switch self {
    case .readOnly: 0
    case .workspaceWrite: 1
    case .dangerFullAccess: 2
    }
  }
}
