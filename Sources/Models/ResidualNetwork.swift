import NeuralNetworks
import Torch

/// What `ResNet` and `ResNetAP` share: a stem, four stages of residual blocks, the mean over the
/// last map, a linear classifier.
///
/// Shape letters: B images, C channels, S×S pixels, W width, H×H pixels of a map, K classes.
public class ResidualNetwork: Module, ImageClassifier {
    /// Size and shape.
    public let configuration: ResNetConfiguration
    @Child("layer0") var stem: MapLayer
    @Child("layer1") var stage1: [MapLayer]
    @Child("layer2") var stage2: [MapLayer]
    @Child("layer3") var stage3: [MapLayer]
    @Child("layer4") var stage4: [MapLayer]
    @Child("fc") var classifier: Linear

    /// Number of classes.
    public var classCount: Int { configuration.classCount }

    /// True: convolutions on a CPU are far faster, and instance norms have loops for that order.
    public var prefersChannelsLast: Bool { true }

    /// Makes a network with new weights; the sizes have been checked.
    ///
    /// - Parameters:
    ///   - configuration: Size and shape.
    ///   - stem: Makes the layers in front of the blocks.
    ///   - block: Makes a block with its input channels, output channels, stride and norm.
    ///   - generator: Source of the first weights.
    init(
        _ configuration: ResNetConfiguration,
        stem: (ResNetConfiguration) -> MapLayer,
        block: (Int, Int, Int, ResNetConfiguration.Norm) -> MapLayer,
        using generator: inout RandomGenerator
    ) {
        self.configuration = configuration
        super.init()
        self.stem = stem(configuration)
        stage1 = configuration.blocks(ofStage: 0, block)
        stage2 = configuration.blocks(ofStage: 1, block)
        stage3 = configuration.blocks(ofStage: 2, block)
        stage4 = configuration.blocks(ofStage: 3, block)
        classifier = Linear(configuration.featureCount, configuration.classCount)
        Initialization.residual(self, classifier: classifier, using: &generator)
    }

    /// The stem (0) or one of the four stages (1 to 4): [B, …, H, H] → [B, …, H', H'].
    package func stage(_ index: Int, _ x: Tensor) -> Tensor {
        index == 0
            ? stem(x) : [stage1, stage2, stage3, stage4][index - 1].reduce(x) { $1($0) }
    }

    /// The mean over the last map: [B, C, S, S] → [B, 8W].
    public func features(_ x: Tensor) -> Tensor {
        var x = x
        for index in 0...4 { x = stage(index, x) }  // [B, 8W, H, H]
        return x.mean(axes: [2, 3])  // [B, 8W]
    }

    /// Scores before the softmax: [B, C, S, S] → [B, K].
    public func callAsFunction(_ x: Tensor) -> Tensor { classifier(features(x)) }
}
