#include "facets/torch_source/fused_activation.h"
#include "facets/torch_source/padding.h"
#include "facets/torch_source/signature.h"
#include "layers/conv_lstm/torch_script.h"

namespace h5bridge::conv_lstm {
namespace {

const PythonHelper kConvLstm{"ConvLSTM",
                             R"py(class ConvLSTM(nn.Module):
    """Keras's LSTM of pictures, whose products are convolutions."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        dilation,
        padding="valid",
        channels_last=False,
        bias=True,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        return_sequences=True,
        return_state=False,
        go_backwards=False,
        stateful=False,
        zero_output_for_mask=False,
        dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__()
        rows = 4 * out_channels
        shape = (rows, in_channels, *kernel_size)
        self.weight_ih = nn.Parameter(torch.empty(shape).uniform_(-0.1, 0.1))
        shape = (rows, out_channels, *kernel_size)
        self.weight_hh = nn.Parameter(torch.empty(shape).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.zeros(rows)) if bias else None
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.padding = padding
        self.channels_last = channels_last
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.kept = ()

    def convolved(self, x, weight, bias, same, stride, dilation, masks):
        """All gates side by side; each has a mask of its own."""
        function = (F.conv1d, F.conv2d, F.conv3d)[len(self.kernel_size) - 1]

        def of(x, weight, bias):
            if same:
                x = pad_same(x, self.kernel_size, stride, dilation)
            return function(x, weight, bias, stride, 0, dilation)

        if not masks:
            return of(x, weight, bias)
        biases = [None] * 4 if bias is None else bias.chunk(4)
        parts = zip(masks, weight.chunk(4), biases)
        return torch.cat([of(x * mask, w, b) for mask, w, b in parts], 1)

    def masks(self, like, rate):
        if not self.training or rate == 0:
            return []
        return [F.dropout(torch.ones_like(like), rate) for _ in range(4)]

    def forward(self, x, *states, mask=None):
        if self.channels_last:
            x, states = x.movedim(-1, 2), [state.movedim(-1, 1) for state in states]
        if self.go_backwards:
            x = x.flip(1)
            mask = mask if mask is None else mask.flip(1)
        states = list(states or self.kept)
        act, gate = self.activation, self.recurrent_activation
        once = (1,) * len(self.kernel_size)
        outputs, last = [], None
        for t in range(x.shape[1]):
            step = x[:, t]
            if t == 0:
                masks = self.masks(step, self.dropout)
            same = self.padding == "same"
            stride, dilation = self.stride, self.dilation
            y = self.convolved(
                step, self.weight_ih, self.bias, same, stride, dilation, masks
            )
            if not states:
                states = [torch.zeros_like(y.chunk(4, 1)[0])] * 2
            if t == 0:
                state_masks = self.masks(states[0], self.recurrent_dropout)
                last = zeros = torch.zeros_like(states[0])
            h = self.convolved(
                states[0], self.weight_hh, None, True, once, once, state_masks
            )
            i, f, g, o = (y + h).chunk(4, 1)
            c = gate(f) * states[1] + gate(i) * act(g)
            y, following = gate(o) * act(c), [gate(o) * act(c), c]
            if mask is not None:
                valid = mask[:, t].bool().view(-1, *(1,) * (y.ndim - 1))
                y = torch.where(valid, y, zeros if self.zero_output_for_mask else last)
                pairs = zip(following, states)
                following = [torch.where(valid, new, old) for new, old in pairs]
            states, last = following, y
            outputs.append(y)
        if self.stateful:
            self.kept = [state.detach() for state in states]
        results = [torch.stack(outputs, 1) if self.return_sequences else last]
        results += states if self.return_state else []
        if self.channels_last:
            axes = [2 if self.return_sequences else 1, 1, 1]
            results = [y.movedim(axis, -1) for y, axis in zip(results, axes)]
        return tuple(results))py",
                             {&kPadSame}};

TorchSource conv_lstm(const std::string& type) {
  TorchSource result =
      of_helper(kConvLstm, type +
                               "(in_channels, out_channels, *, padding, channels_last, bias, return_sequences, "
                               "return_state, go_backwards, stateful, zero_output_for_mask, dropout, "
                               "recurrent_dropout)");
  result.misfit = [](const Layer&) { return std::string(); };
  result.constructor = [inner = result.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    for (const char* tuple : {"kernel_size", "stride", "dilation"})
      made.arguments.push_back({tuple, python_value(layer.attributes.at(tuple)).text, true});
    const auto activation = [&](const char* attribute, const char* fallback) {
      const Python function = keras_activation_function(layer.attributes.text(attribute), made.helpers);
      made.arguments.push_back({attribute, function.text, true, function.text == fallback});
    };
    activation("activation", "torch.tanh");
    activation("recurrent_activation", "torch.sigmoid");
    return made;
  };
  result.script = [made = result.constructor](const Layer& layer) { return script_of(layer, made(layer)); };
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input().text};
    for (const Python& state : call.list("hx")) arguments.push_back(state.text);
    if (const auto mask = call.operand("mask")) arguments.push_back("mask=" + mask->text);
    return call.self + "(" + joined(arguments) + ")" + (call.outputs.size() == 1 ? "[0]" : "");
  };
  result.first = [all = result.call](const SourceCall& call) -> Python {
    return all(call).text + (call.outputs.size() == 1 ? "" : "[0]");
  };
  result.output_names = {"x", "h", "c"};
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {conv_lstm("ConvLSTM1D"), conv_lstm("ConvLSTM2D"), conv_lstm("ConvLSTM3D")};
}

}  // namespace h5bridge::conv_lstm
