// One request to an HTTP server nearby, for commands that ask the running bridge and end: a connection, a request, the whole
// answer. Blocking, with a time limit; never used by the daemon.

import Glibc

/// Why there is no answer. The text goes on from "the bridge".
enum ExchangeFailure: Error, Equatable, CustomStringConvertible {
  /// Nothing listens there, or it cannot be reached.
  case unreachable(String)
  case timedOut
  case tooLong
  /// What came is no HTTP, or was cut.
  case malformed

  var description: String {
    switch self {
    case .unreachable(let reason): reason
    case .timedOut: "it has not answered in time"
    case .tooLong: "its answer has more than \(HTTPExchange.maxAnswerBytes) bytes"
    case .malformed: "what it answers is cut, or no HTTP"
    }
  }
}

/// The status and the body of an answer.
struct HTTPAnswer: Equatable {
  let status: Int
  let body: [UInt8]

  /// Reads all that came on a connection that the server has closed. The request was of HTTP/1.0, so the body is what
  /// follows the head (RFC 9112 §6.3), as far as its length is told.
  init(_ bytes: [UInt8]) throws(ExchangeFailure) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw .malformed }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
      .split(omittingEmptySubsequences: false) { $0 == "\r\n" }
    let first = lines.first?.split(separator: " ") ?? []
    guard first.count > 1, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]), (100...599).contains(status)
    else { throw .malformed }
    self.status = status
    let rest = bytes[end.upperBound...]
    guard let length = Self.field("content-length", of: lines) else {
      // Only HTTP/1.1 has chunks; a server that sends them all the same is not understood.
      guard Self.field("transfer-encoding", of: lines) == nil else { throw .malformed }
      body = Array(rest)
      return
    }
    guard let count = Int(length), count >= 0, rest.count >= count else { throw .malformed }
    body = Array(rest.prefix(count))
  }

  private static func field(_ name: String, of lines: [Substring]) -> String? {
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
      return line[line.index(after: colon)...].trimmingSpaces()
    }
    return nil
  }
}

/// A connection for one request.
struct HTTPExchange {
  /// The longest page of what was said in a session has a megabyte of text, which may take six of JSON; with more, something
  /// that is no bridge could fill the memory.
  static let maxAnswerBytes = 32 << 20
  /// How long the server may take to accept. With more, an address that swallows everything holds up the command; with less,
  /// a busy machine seems to have no bridge.
  private static let connectLimit = Duration.seconds(5)
  /// How long all of it may take: the bridge reads long conversations from files.
  private static let limit = Duration.seconds(60)

  private let descriptor: Int32
  private let deadline: ContinuousClock.Instant

  /// Sends the bytes of a request to the first of the addresses that accepts, and returns its answer.
  static func run(_ request: [UInt8], to addresses: [SocketAddress]) throws(ExchangeFailure) -> HTTPAnswer {
    var failure = ExchangeFailure.unreachable("it has no address")
    for address in addresses {
      let descriptor = socket(
        address.isIPv6 ? AF_INET6 : AF_INET,
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      guard descriptor >= 0 else { throw .unreachable(systemError()) }
      defer { close(descriptor) }
      let exchange = HTTPExchange(descriptor: descriptor, deadline: .now + limit)
      do throws(ExchangeFailure) {
        try exchange.connect(to: address)
      } catch {
        failure = error
        continue
      }
      try exchange.send(request)
      return try HTTPAnswer(try exchange.receive())
    }
    throw failure
  }

  private func connect(to address: SocketAddress) throws(ExchangeFailure) {
    let length = address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    let status = address.withPointer { Glibc.connect(descriptor, $0, socklen_t(length)) }
    if status == 0 { return }
    guard errno == EINPROGRESS else { throw .unreachable(systemError()) }
    try wait(for: POLLOUT, until: min(deadline, .now + Self.connectLimit))
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0, error == 0 else {
      throw .unreachable(systemError(error))
    }
  }

  private func send(_ request: [UInt8]) throws(ExchangeFailure) {
    var rest = request[...]
    while !rest.isEmpty {
      try wait(for: POLLOUT, until: deadline)
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR, errno != EAGAIN {
        throw .unreachable(systemError())
      }
    }
  }

  /// All that comes until the server closes.
  private func receive() throws(ExchangeFailure) -> [UInt8] {
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      try wait(for: POLLIN, until: deadline)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count > 0 {
        guard answer.count + count <= Self.maxAnswerBytes else { throw .tooLong }
        answer += chunk[..<count]
      } else if count == 0 {
        return answer
      } else if errno != EINTR, errno != EAGAIN {
        // A server that has not read all of a request may reset the connection behind its answer.
        guard !answer.isEmpty else { throw .unreachable(systemError()) }
        return answer
      }
    }
  }

  private func wait(for event: Int32, until end: ContinuousClock.Instant) throws(ExchangeFailure) {
    while true {
      let left = ContinuousClock.now.duration(to: end).wholeMilliseconds
      guard left > 0 else { throw .timedOut }
      var state = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      if poll(&state, 1, Int32(clamping: left)) > 0 { return }
    }
  }
}
