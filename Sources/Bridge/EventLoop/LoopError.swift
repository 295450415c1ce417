// Failures of libuv calls, as values.

internal import CLibUV

/// A libuv call that failed, with what was being tried.
package struct LoopError: Error, Equatable, CustomStringConvertible {
  /// libuv's negative error code, for example `UV_EADDRINUSE`.
  package let code: Int32
  /// What was being done, for example "listen on 127.0.0.1:8080".
  package let action: String

  init(_ code: Int32, _ action: String) {
    self.code = code
    self.action = action
  }

  /// libuv's name of the error, for example "EADDRINUSE".
  package var name: String { uv_err_name(code).map { String(cString: $0) } ?? "UNKNOWN" }

  /// "cannot listen on 127.0.0.1:8080: address already in use (EADDRINUSE)".
  package var description: String {
    let reason = uv_strerror(code).map { String(cString: $0) } ?? "unknown error"
    return "cannot \(action): \(reason) (\(name))"
  }

  /// The same failure means different things on different calls, so callers compare by meaning.
  var isMissingFile: Bool { code == UV_ENOENT.rawValue }
  /// Whether this machine has no such address, or no such kind of addresses.
  var isMissingAddress: Bool { code == UV_EADDRNOTAVAIL.rawValue || code == UV_EAFNOSUPPORT.rawValue }
  /// Whether something else listens there.
  var isTakenAddress: Bool { code == UV_EADDRINUSE.rawValue }
  var isAccessDenied: Bool { code == UV_EACCES.rawValue || code == UV_EPERM.rawValue }

  /// Throws when a libuv call answered a negative code.
  static func check(_ status: Int32, _ action: @autoclosure () -> String) throws(LoopError) {
    if status < 0 { throw LoopError(status, action()) }
  }
}
