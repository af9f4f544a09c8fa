// The table of one instruction set. Included like kernels_vectors.hpp; KERNEL_NAME is its name.

#if KERNEL_HAS_BF16
constexpr bool usesPairs = true;
#else
constexpr bool usesPairs = false;
#endif

static constexpr KernelTable table = {
    KERNEL_NAME,
    {normForward<float, float>, normForward<float, Brain>, normForward<Brain, Brain>},
    {normBackward<float, float>, normBackward<float, Brain>, normBackward<Brain, Brain>},
    {gateForward<float, float>, gateForward<float, Brain>, gateForward<Brain, Brain>},
    {gateBackward<float, float>, gateBackward<float, Brain>, gateBackward<Brain, Brain>},
    columnSums,
    geluForward,
    geluBackward,
    {attentionForward<false, float>, attentionForward<usesPairs, Brain>},
    {attentionBackward<false, float>, attentionBackward<usesPairs, Brain>},
};
