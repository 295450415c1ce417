// Images on the web, fetched by `curl` as a child: TLS and the answers of strangers stay in another process.
// Every address of a name is checked and the one that is used is pinned, at each redirect again.

import Glibc

/// Downloads images.
@LoopActor
final class RemoteImage {
  private static let maxRedirects = 3
  private static let connectTimeoutSeconds = 5
  /// Names looked up at once; further ones wait. A lookup can hold a thread of the pool for as long as the name's server
  /// likes, and the pool has four for all that blocks.
  private static let maxLookups = 2

  /// Where names lead, and which addresses may be fetched from.
  struct Reach: Sendable {
    /// The addresses of a host; blocks.
    var addresses: @Sendable (_ host: String, _ port: Int) -> [SocketAddress] = {
      (try? SocketAddress.resolve(host: $0, port: $1)) ?? []
    }
    /// Judges an address by its 4 or 16 bytes.
    var admits: @Sendable ([UInt8]) -> Bool = AddressPolicy.isPublic

    static let everywhere = Reach(admits: { _ in true })
  }

  private let maxBytes: Int
  private let timeout: Duration
  private let reach: Reach
  private let lookups = PermitQueue(permits: maxLookups, maxWaiting: 64)

  init(maxBytes: Int, timeout: Duration, reach: Reach) {
    self.maxBytes = maxBytes
    self.timeout = timeout
    self.reach = reach
  }

  /// The body at `url`, at most the configured size. Ends early when nobody wishes for it any more.
  func fetch(_ url: String, _ wish: ImageWish = ImageWish()) async throws(ImageFailure) -> [UInt8] {
    guard let curl = Programs.find("curl", path: "/usr/bin:/usr/local/bin:/bin") else {
      throw .refused("the program curl, which fetches images, is not installed")
    }
    let deadline = Loop.now + timeout
    var target = try ImageURL(url)
    for _ in 0...Self.maxRedirects {
      let address = try await checkedAddress(of: target, wish)
      let download = Download(
        command: command(curl, target, address, within: deadline - Loop.now), maxBytes: maxBytes)
      switch try await download.run(wish) {
      case .body(let bytes): return bytes
      case .redirect(let location): target = try ImageURL(location)
      }
    }
    throw .refused("the server redirects too often")
  }

  private func checkedAddress(of target: ImageURL, _ wish: ImageWish) async throws(ImageFailure) -> String {
    let host = target.host
    let port = target.port
    guard let permit = lookups.enter(wish.owner) else { throw .noPlace }
    defer { permit.release() }
    guard await wish.wait(for: permit) else { throw .abandoned }
    let addresses = await Loop.offLoop { [reach] in reach.addresses(host, port) }
    guard let first = addresses.first else { throw .refused("the host \(host) cannot be found") }
    // All of them, not only the one that is used: a name that also leads inside is not to be trusted.
    guard addresses.allSatisfy({ reach.admits($0.addressBytes) }) else {
      throw .refused("the host \(host) is not on the public Internet (\(Settings.imageAllowPrivate.name))")
    }
    return first.isIPv6 ? "[\(first.host)]" : first.host
  }

  private func command(
    _ curl: String,
    _ target: ImageURL,
    _ address: String,
    within limit: Duration
  ) -> ChildProcess.Command {
    let seconds = max(1, Int(limit.inSeconds.rounded(.up)))
    return ChildProcess.Command(
      file: curl,
      arguments: [
        // First, or a .curlrc could change everything else.
        "-q", "--silent", "--globoff", "--proto", "=http,https", "--noproxy", "*", "--max-redirs", "0",
        // Whatever curl takes the host's name to be, it connects to the address that was checked.
        "--connect-to", "::\(address):\(target.port)", "--connect-timeout", String(Self.connectTimeoutSeconds),
        "--max-time", String(seconds), "--max-filesize", String(maxBytes), "--user-agent", "CodexBridge",
        "--write-out", "%{stderr}%{http_code}\\n%{redirect_url}\\n", "--", target.url,
      ],
      environment: ["PATH=/usr/bin:/bin"],
      workingDirectory: "/"
    )
  }
}

/// Where a URL leads.
struct ImageURL: Sendable, Equatable {
  private static let maxBytes = 4096

  let url: String
  let scheme: String
  let host: String
  let port: Int

  /// Splits an absolute http(s) URL (RFC 3986). Credentials are refused: a URL from a request must not make
  /// the bridge log in somewhere.
  init(_ url: String) throws(ImageFailure) {
    guard url.utf8.count <= Self.maxBytes, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C })
    else {
      throw .refused("the URL is too long, or has characters that must be percent-encoded")
    }
    guard let mark = url.firstRange(of: "://") else { throw .refused("the URL is not absolute") }
    scheme = url[..<mark.lowerBound].lowercased()
    guard ["http", "https"].contains(scheme) else { throw .refused("only http and https are fetched") }
    let authority = url[mark.upperBound...].prefix { !"/?#\\".contains($0) }
    guard !authority.contains("@") else { throw .refused("the URL carries credentials") }
    let hostEnd: Substring.Index
    if authority.hasPrefix("[") {
      guard let bracket = authority.firstIndex(of: "]") else { throw .refused("the URL's host is malformed") }
      host = String(authority[authority.index(after: authority.startIndex)..<bracket])
      hostEnd = authority.index(after: bracket)
    } else {
      hostEnd = authority.firstIndex(of: ":") ?? authority.endIndex
      host = String(authority[..<hostEnd])
    }
    let rest = authority[hostEnd...]
    let isHost = host.utf8.allSatisfy {
      HeadSyntax.isToken($0) && $0 != UInt8(ascii: "%") || $0 == UInt8(ascii: ":")
    }
    guard !host.isEmpty, isHost, rest.isEmpty || rest.hasPrefix(":") else {
      throw .refused("the URL's host is malformed")
    }
    guard let port = rest.count > 1 ? Int(rest.dropFirst()) : scheme == "https" ? 443 : 80,
      (1...65535).contains(port)
    else { throw .refused("the URL's port is malformed") }
    self.port = port
    self.url = url
  }
}

/// One run of curl.
@LoopActor
private final class Download {
  enum Outcome {
    case body([UInt8])
    case redirect(String)
  }

  /// `CURLE_FILESIZE_EXCEEDED` and `CURLE_OPERATION_TIMEDOUT`.
  private static let tooLargeExit = 63
  private static let timedOutExit = 28

  private let command: ChildProcess.Command
  private let maxBytes: Int
  private var body: [UInt8] = []
  private var report: [UInt8] = []
  private var isTooLarge = false

  init(command: ChildProcess.Command, maxBytes: Int) {
    self.command = command
    self.maxBytes = maxBytes
  }

  func run(_ wish: ImageWish) async throws(ImageFailure) -> Outcome {
    if wish.isAbandoned { throw .abandoned }
    let ended = Waiter<Void>()
    var exit: ChildProcess.Exit?
    var open = 3
    let closeOne: @LoopActor () -> Void = {
      open -= 1
      if open == 0 { ended.finish() }
    }
    let process: ChildProcess
    do throws(LoopError) {
      process = try ChildProcess(command) {
        exit = $0
        closeOne()
      }
    } catch {
      throw .refused("curl cannot be started")
    }
    process.standardInput.close()
    process.standardOutput.onRead = { [weak process] in self.received($0, process) }
    process.standardError.onRead = { if self.report.count < 8192 { self.report.append($0) } }
    for output in [process.standardOutput, process.standardError] {
      output.onEnd = { [weak output] _ in
        output?.close()
        closeOne()
      }
      output.startReading()
    }
    wish.onAbandon = { [weak process] in process?.signalGroup(SIGKILL) }
    await ended.value()
    wish.onAbandon = nil
    if wish.isAbandoned { throw .abandoned }
    return try outcome(exit)
  }

  private func received(_ bytes: Span<UInt8>, _ process: ChildProcess?) {
    // curl believes the length a server states; what arrives is counted here.
    guard body.count + bytes.count <= maxBytes else {
      isTooLarge = true
      process?.signalGroup(SIGKILL)
      return
    }
    body.append(bytes)
  }

  private func outcome(_ exit: ChildProcess.Exit?) throws(ImageFailure) -> Outcome {
    if isTooLarge || exit?.code == Self.tooLargeExit { throw .tooLarge }
    guard exit?.code == 0 else {
      throw .refused(exit?.code == Self.timedOutExit ? "the download took too long" : "the download failed")
    }
    let lines = String(decoding: report, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    let status = lines.first.flatMap { Int($0) } ?? 0
    if (300..<400).contains(status), lines.count > 1, !lines[1].isEmpty { return .redirect(String(lines[1])) }
    guard status == 200 else { throw .refused("the server answered \(status)") }
    return .body(body)
  }
}
