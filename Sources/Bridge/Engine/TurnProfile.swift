// With which rights a turn runs, and how far they may go. Pure values, in words free of any engine's own.

/// What a turn may do, and where. It belongs to whoever asks, never to what is asked: no planner and no dialect sees it.
struct TurnProfile: Sendable, Equatable {
  /// Whether Codex's tools, instructions and files are part of it.
  var kind = ProfileKind.agent
  /// Where commands run, and what a sandbox opens for writing if it opens anything: absolute and without links.
  var workingDirectory: String
  var sandbox: SandboxMode
  /// Whether commands may use the network in a sandbox that can open it (`workspaceWrite`).
  var networkAccess = false
  /// Whether the model may search the web.
  var webSearch = false
  /// Which acts a person is asked about first.
  var approvals: ApprovalPolicy
  /// The model of requests that name none; may carry an effort. Nil for the engine's own default.
  var defaultModel: String?
  /// Tokens of a tool's output that the model gets to see; more is cut from the middle. Nil for the engine's own default,
  /// which holds for a higher limit too.
  var toolOutputTokens: Int?

  /// Whether commands may run outside the sandbox, where what they start can outlive them: always, or when a person has
  /// approved one.
  var letsCommandsOutlive: Bool { sandbox == .dangerFullAccess || approvals != .never }
}

/// The most that a key may have.
struct ProfileBounds: Sendable, Equatable {
  /// Directories in or below which a turn may work, without links.
  var directories: [String]
  /// The widest sandbox.
  var sandbox: SandboxMode
  var networkAccess: Bool
  var webSearch: Bool
  /// The policies that may be chosen. They have no order: `never` asks nobody, but leaves no way out of the sandbox either;
  /// the others ask first, and let out of it what is approved.
  var approvals: Set<ApprovalPolicy>
  /// The largest limit of a tool's output that may be set; nil if only the engine's own default may be used.
  var toolOutputTokens: Int?

  /// Throws the first right that a profile has and this does not allow. The default model is no right: a key may name any.
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

  /// A path that is not plain could lead elsewhere than it seems to.
  private func isAllowed(directory: String) -> Bool {
    let parts = directory.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.first?.isEmpty == true, !parts.contains(where: { $0 == ".." || $0 == "." }) else { return false }
    return directories.contains { FileContents.isPath(directory, inside: $0) }
  }
}

/// The right that a profile has beyond what its key may have.
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
