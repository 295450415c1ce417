// Standard input that is no keyboard: a pipe or a file, read whole. Blocking: to be called off the loop.

import Glibc

enum StandardInput {
  /// Why there is no text.
  enum Failure: Error, Equatable, CustomStringConvertible {
    case tooLarge
    case notUTF8
    case unreadable(String)

    var description: String {
      switch self {
      case .tooLarge:
        "standard input: more than \(ChatMessage.maxInputBytes) bytes; no message is that long"
      case .notUTF8: "standard input: not UTF-8 text"
      case .unreadable(let reason): "standard input: \(reason)"
      }
    }
  }

  /// Everything up to its end.
  static func readAll(_ descriptor: Int32 = STDIN_FILENO) -> Result<String, Failure> {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count > 0 {
        bytes.append(contentsOf: chunk[..<count])
        if bytes.count > ChatMessage.maxInputBytes { return .failure(.tooLarge) }
      } else if count == 0 {
        return String(validating: bytes, as: UTF8.self).map { .success($0) } ?? .failure(.notUTF8)
      } else if errno == EAGAIN {
        // The program may have inherited the descriptor in non-blocking mode.
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&wait, 1, -1)
      } else if errno == EBADF {
        // A descriptor that is closed counts as empty input.
        return .success("")
      } else if errno != EINTR {
        return .failure(.unreadable(systemError()))
      }
    }
  }
}
