// What a client is told of an image that cannot be used.

extension ImageFailure {
  /// Until the images before it are done, mostly.
  private static let retrySeconds = 2

  /// A 400 that names the message and part, or a 413 that names the setting.
  func apiError(_ path: String) -> APIError {
    switch self {
    case .refused(let reason): .invalid("The image cannot be used: \(reason).", param: path, code: "invalid_image")
    case .overloaded: APIError(.tooMuchContent)
    case .abandoned: APIError(.cancelled, hasStarted: false)
    case .noPlace:
      APIError(
        status: 429,
        type: "rate_limit_exceeded",
        code: "rate_limit_exceeded",
        message: "Too many images are being fetched or unpacked; try again.",
        retryAfter: Self.retrySeconds,
        mayRetry: true
      )
    case .tooMany:
      APIError(
        status: 413,
        code: "images_too_large",
        param: path,
        message: "The images of the request are together larger than four times \(Settings.imageLimit.name).",
        mayRetry: false
      )
    case .tooLarge:
      APIError(
        status: 413,
        code: "image_too_large",
        param: path,
        message: "The image is larger than \(Settings.imageLimit.name) allows; raise that setting of the bridge.",
        mayRetry: false
      )
    }
  }
}
