// One POST to the receiver of notices, made by `curl` as a child: TLS and the answers of strangers stay in another process. Address,
// secret and body go in through its standard input, because the arguments of a process can be read by everybody on the machine.

/// A request that tells of a question.
struct HookPost: Sendable {
  static let maxSeconds = 10
  private static let connectSeconds = 5
  /// The receiver's answer is thrown away; one that says that it is longer is not waited for.
  private static let maxAnswerBytes = 64 << 10
  /// Variables of the bridge's environment that lead curl out of a network, or tell it whom to trust there.
  private static let inherited: Set<String> = [
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "CURL_CA_BUNDLE",
  ]

  let target: HookTarget
  let secret: String?
  let body: String

  /// What has come of it.
  enum Verdict: Sendable, Equatable {
    case delivered
    /// The reason goes on from "it"; nothing of the address or of the answer is in it.
    case failed(reason: String, mayRetry: Bool)
  }

  /// The command that reads `configuration` from its standard input.
  static func command(_ curl: String, _ environment: [String: String]) -> ChildProcess.Command {
    let own = environment.filter { inherited.contains($0.key) }.sorted { $0.key < $1.key }
    return ChildProcess.Command(
      file: curl,
      arguments: [
        // First, or a .curlrc could change everything else. Redirects are not followed, since nobody asks for it.
        "-q", "--silent", "--globoff", "--proto", "=http,https", "--connect-timeout", String(connectSeconds),
        "--max-time", String(maxSeconds), "--max-filesize", String(maxAnswerBytes), "--user-agent", "CodexBridge",
        "--output", "/dev/null", "--write-out", "%{http_code}", "--config", "-",
      ],
      environment: ["PATH=/usr/bin:/bin"] + own.map { "\($0.key)=\($0.value)" },
      workingDirectory: "/"
    ).endedWithBridge
  }

  /// The rest of the request in the form of curl's configuration files, as it is sent at `now`, in seconds since 1970.
  func configuration(at now: Int) -> String {
    var fields = ["Content-Type: application/json"]
    if let secret {
      switch target.form {
      case .json:
        let signature = HookSignature(of: body, secret: secret, at: now)
        fields.append("\(HookSignature.timestampField): \(signature.timestamp)")
        fields.append("\(HookSignature.signatureField): \(signature.text)")
      case .ntfy: fields.append("Authorization: Bearer \(secret)")
      }
    }
    let lines = fields.map { "header = \(Self.quoted($0))" }
    return (lines + ["data-raw = \(Self.quoted(body))", "url = \(Self.quoted(target.url))"])
      .joined(separator: "\n") + "\n"
  }

  /// As curl reads a value in quotes (curl(1), "--config"). No value here has a line end: JSON writes them as `\n`.
  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  /// Whether the receiver has taken it, by curl's end. What follows the head of the answer does not matter: the receiver has
  /// decided then.
  static func verdict(exitCode: Int?, output: [UInt8]) -> Verdict {
    let status = Int(String(decoding: output, as: UTF8.self)) ?? 0
    switch status {
    case 200..<300: return .delivered
    case 300..<400: return .failed(reason: "redirects (\(status)), which is not followed", mayRetry: false)
    // A timeout and "too many" pass; everything else of the kind stays wrong.
    case 400..<500: return .failed(reason: "answers \(status)", mayRetry: status == 408 || status == 429)
    case 500...: return .failed(reason: "answers \(status)", mayRetry: true)
    default: break
    }
    let reason =
      switch exitCode {
      case 5, 6: "has a host, or a proxy, that cannot be found"
      case 7: "cannot be connected to"
      case 28: "has not answered in time"
      case 35, 51, 53, 54, 58, 59, 60, 66, 77, 80, 83, 90, 91: "cannot be trusted or reached by TLS"
      case let code?: "gives no answer (curl's exit code \(code))"
      case nil: "gives no answer"
      }
    return .failed(reason: reason, mayRetry: true)
  }
}
