// Codex's own names of its errors (`codexErrorInfo`). They are written nowhere else in the bridge.

/// The names of errors in all versions of Codex from the oldest supported to the newest known one. A name that is not
/// here is passed on to the client.
enum CodexErrorName: String, Sendable, CaseIterable {
  case activeTurnNotSteerable
  case badRequest
  case contextWindowExceeded
  case cyberPolicy
  case flexUnavailable
  case httpConnectionFailed
  case internalServerError
  case misalignmentPolicyViolation
  case other
  case rateLimitExceeded
  case responseStreamConnectionFailed
  case responseStreamDisconnected
  case responseTooManyFailedAttempts
  case sandboxError
  case serverOverloaded
  case sessionBudgetExceeded
  case threadRollbackFailed
  case tooManyDenials
  case unauthorized
  case usageLimitExceeded
}
