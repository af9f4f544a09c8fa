import Images
import Torch

/// What the latents in a cache depend on.
///
/// Two caches with the same key hold the same latents, up to the rounding of the device.
public struct LatentCacheKey: Codable, Sendable, Equatable {
    /// The fingerprint of the images and their labels, see `LabelledImages.fingerprint()`.
    public var dataset: String
    /// A hash of the encoder's settings and weights.
    public var autoencoder: String
    /// Pixels a side of the centre crop; 0 if the images are used as they are.
    public var imageSize: Int
    /// 1 or 3 if the images are converted to that many channels; 0 if they are used as they are.
    public var channels: Int
    /// Whether mirrored images are encoded too.
    public var hasFlips: Bool
    /// What the encoder's matrix products are computed in: `float32`, `bfloat16`.
    public var precision: String
    /// How the latents are stored: `float32`, or `float16` for half of the room.
    public var storage: String

    /// Puts a key together.
    ///
    /// - Parameters:
    ///   - dataset: The fingerprint of the images.
    ///   - autoencoder: A hash of the encoder.
    ///   - imageSize: Pixels a side of the centre crop; 0 for none.
    ///   - channels: Channels that the images are converted to; 0 for none.
    ///   - hasFlips: Whether mirrored images are encoded too.
    ///   - precision: What the encoder computes in.
    ///   - storage: How the latents are stored, float32 or float16.
    public init(
        dataset: String,
        autoencoder: String,
        imageSize: Int,
        channels: Int,
        hasFlips: Bool = true,
        precision: DType = .float32,
        storage: DType = .float32
    ) {
        self.dataset = dataset
        self.autoencoder = autoencoder
        self.imageSize = imageSize
        self.channels = channels
        self.hasFlips = hasFlips
        self.precision = "\(precision)"
        self.storage = "\(storage)"
    }

    /// The type in which latents are stored; nil for a name that is none of the two.
    var storageType: DType? {
        switch storage {
        case "\(DType.float32)": .float32
        case "\(DType.float16)": .float16
        default: nil
        }
    }

    /// In which ways a cache with this key is not the one that is asked for, as ends of a sentence
    /// that begins with "it was made".
    func differences(from wanted: LatentCacheKey) -> [String] {
        func size(_ key: LatentCacheKey) -> String {
            key.imageSize == 0 ? "as they are" : "cropped to \(key.imageSize) pixels"
        }
        func converted(_ key: LatentCacheKey) -> String {
            key.channels == 0 ? "as they are" : "with \(key.channels) channels"
        }
        var texts = [String]()
        if dataset != wanted.dataset {
            texts.append(
                "of other images (fingerprint \(dataset.prefix(12))…, not "
                    + "\(wanted.dataset.prefix(12))…)"
            )
        }
        if autoencoder != wanted.autoencoder {
            texts.append(
                "by another encoder (\(autoencoder.prefix(12))…, not "
                    + "\(wanted.autoencoder.prefix(12))…)"
            )
        }
        if imageSize != wanted.imageSize {
            texts.append("of images \(size(self)), not \(size(wanted))")
        }
        if channels != wanted.channels {
            texts.append("of images \(converted(self)), not \(converted(wanted))")
        }
        if hasFlips != wanted.hasFlips {
            texts.append("\(hasFlips ? "with" : "without") mirrored images")
        }
        if precision != wanted.precision {
            texts.append("in \(precision), not \(wanted.precision)")
        }
        if storage != wanted.storage {
            texts.append("to be stored in \(storage), not \(wanted.storage)")
        }
        return texts
    }
}

extension StateDictionary {
    /// A hash of names, types, shapes and values.
    ///
    /// - Returns: 64 hexadecimal digits.
    package func fingerprint() -> String {
        var hash = SHA256()
        for (name, tensor) in self {
            let head = "\(name.utf8.count):\(name) \(tensor.dtype) \(tensor.shape)\n"
            hash.add(Array(head.utf8))
            hash.add(tensor.detached().bytes())
        }
        return hash.hexadecimalDigest
    }
}
