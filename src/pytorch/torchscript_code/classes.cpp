#include "pytorch/torchscript_code/attention.h"
#include "pytorch/torchscript_code/library.h"

namespace h5bridge::torch_script {
namespace {

// The forwards of torch.nn's classes; "{d}" is the number of axes.
const std::map<std::string_view, const char*> kForwards{
    {"nn.Linear", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.linear(input, self.weight, self.bias)
)"},
    {"nn.Bilinear", R"(def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
  return torch.bilinear(input1, input2, self.weight, self.bias)
)"},
    {"nn.Identity", R"(def forward(self, input: Tensor) -> Tensor:
  return input
)"},
    {"nn.PReLU", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.prelu(input, self.weight)
)"},
    {"nn.RReLU", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.rrelu(input, {lower}, {upper}, self.training)
)"},
    {"nn.Softmax2d", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.softmax(input, -3)
)"},
    {"nn.ChannelShuffle", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.channel_shuffle(input, {groups})
)"},
    {"nn.Unfold", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.im2col(input, {kernel_size}, {dilation}, {padding}, {stride})
)"},
    {"nn.Fold", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.col2im(input, {output_size}, {kernel_size}, {dilation}, {padding}, {stride})
)"},
    {"nn.Unflatten", R"(def forward(self, input: Tensor) -> Tensor:
  return input.unflatten({dim}, {unflattened_size})
)"},
    {"nn.LocalResponseNorm", R"(def forward(self, input: Tensor) -> Tensor:
  return F.local_response_norm(input, {size}, {alpha}, {beta}, {k})
)"},
    {"nn.Dropout", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.dropout(input, {p}, self.training)
)"},
    {"nn.Dropout1d", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.feature_dropout(input, {p}, self.training)
)"},
    {"nn.Dropout2d", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.feature_dropout(input, {p}, self.training)
)"},
    {"nn.Dropout3d", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.feature_dropout(input, {p}, self.training)
)"},
    {"nn.AlphaDropout", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.alpha_dropout(input, {p}, self.training)
)"},
    {"nn.FeatureAlphaDropout", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.feature_alpha_dropout(input, {p}, self.training)
)"},
    {"nn.LayerNorm", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.layer_norm(input, {normalized_shape}, self.weight, self.bias, {eps})
)"},
    {"nn.RMSNorm", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.rms_norm(input, {normalized_shape}, self.weight, {eps})
)"},
    {"nn.GroupNorm", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.group_norm(input, {num_groups}, self.weight, self.bias, {eps})
)"},
    {"nn.UpsamplingNearest2d", R"(def forward(self, input: Tensor) -> Tensor:
  return F.interpolate(input, {size}, {scale_factor}, "nearest")
)"},
    {"nn.UpsamplingBilinear2d", R"(def forward(self, input: Tensor) -> Tensor:
  return F.interpolate(input, {size}, {scale_factor}, "bilinear", True)
)"},
    {"nn.LSTMCell",
     R"(def forward(self, input: Tensor, hx: Optional[Tuple[Tensor, Tensor]]=None) -> Tuple[Tensor, Tensor]:
  if hx is None:
    zeros = torch.zeros([input.shape[0], {hidden_size}], dtype=input.dtype, device=input.device)
    hx = (zeros, zeros)
  return torch.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
)"},
    {"nn.GRUCell", R"(def forward(self, input: Tensor, hx: Optional[Tensor]=None) -> Tensor:
  if hx is None:
    hx = torch.zeros([input.shape[0], {hidden_size}], dtype=input.dtype, device=input.device)
  return torch.gru_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
)"},
    {"nn.RNNCell", R"(def forward(self, input: Tensor, hx: Optional[Tensor]=None) -> Tensor:
  if hx is None:
    hx = torch.zeros([input.shape[0], {hidden_size}], dtype=input.dtype, device=input.device)
  if {nonlinearity} == "tanh":
    return torch.rnn_tanh_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
  return torch.rnn_relu_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
)"},
};

// Of classes whose name ends in a number of axes.
const std::map<std::string_view, const char*> kForwardsByAxes{
    {"nn.Conv", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.conv{d}(input, self.weight, self.bias, {stride}, {padding=0}, {dilation}, {groups})
)"},
    {"nn.ConvTranspose", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.conv_transpose{d}(input, self.weight, self.bias, {stride}, {padding=0}, {output_padding=0}, {groups}, {dilation})
)"},
    {"nn.ReflectionPad", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.reflection_pad{d}(input, {padding})
)"},
    {"nn.ReplicationPad", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.replication_pad{d}(input, {padding})
)"},
    {"nn.ConstantPad", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.constant_pad_nd(input, {padding}, {value})
)"},
    {"nn.ZeroPad", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.constant_pad_nd(input, {padding}, 0)
)"},
    {"nn.CircularPad", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.pad(input, {padding}, "circular")
)"},
    {"nn.MaxPool", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.max_pool{d}(input, {kernel_size}, {stride}, 0, {dilation=1})
)"},
    {"nn.AvgPool", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.avg_pool{d}(input, {kernel_size}, {stride})
)"},
    {"nn.AdaptiveAvgPool", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.adaptive_avg_pool{d}(input, {output_size})
)"},
    {"nn.AdaptiveMaxPool", R"(def forward(self, input: Tensor) -> Tensor:
  return torch.adaptive_max_pool{d}(input, {output_size})[0]
)"},
    {"nn.MaxUnpool",
     R"(def forward(self, input: Tensor, indices: Tensor, output_size: Optional[List[int]]=None) -> Tensor:
  return F.max_unpool(input, indices, {kernel_size}, {stride}, {padding}, output_size)
)"},
};

// "(1, 2)" of "1" and "(1, 2)", for `axes` axes.
std::string list_of(const std::string& text, std::size_t axes) {
  if (text.starts_with('(')) return text;
  std::string result = "(" + text;
  for (std::size_t i = 1; i < axes; ++i) result += ", " + text;
  return result + (axes == 1 ? ",)" : ")");
}

// Margins before and behind each axis, the last axis first, as F.pad takes them.
constexpr const char* kPaddedConv = R"(def forward(self, input: Tensor) -> Tensor:
  padded = torch.pad(input, {margins}, {padding_mode})
  return torch.conv{d}(padded, self.weight, self.bias, {stride}, 0, {dilation}, {groups})
)";

std::string argument(const Arguments& arguments, const std::string& name) {
  const auto found = arguments.find(name);
  return found == arguments.end() ? "" : found->second;
}

// The numbers in "(1, 2)" and in "3".
std::vector<std::int64_t> numbers_in(const std::string& text) {
  std::vector<std::int64_t> result;
  for (std::size_t at = text.find_first_of("-0123456789"); at != std::string::npos;
       at = text.find_first_of("-0123456789", at)) {
    std::size_t length = 0;
    result.push_back(std::stoll(text.substr(at), &length));
    at += length;
  }
  return result;
}

std::vector<std::int64_t> numbers_of(const Arguments& arguments, const std::string& name, std::size_t axes) {
  std::vector<std::int64_t> result = numbers_in(argument(arguments, name));
  if (result.size() == 1) result.resize(axes, result[0]);
  return result;
}

std::string margins(const Arguments& arguments, std::size_t axes) {
  const std::vector<std::int64_t> kernel = numbers_of(arguments, "kernel_size", axes);
  const std::vector<std::int64_t> dilation = numbers_of(arguments, "dilation", axes);
  const bool is_same = argument(arguments, "padding") == "\"same\"";
  std::vector<std::int64_t> padding = numbers_of(arguments, "padding", axes);
  padding.resize(axes, 0);
  std::string result;
  for (std::size_t i = axes; i-- > 0;) {
    const std::int64_t all = is_same ? dilation.at(i) * (kernel.at(i) - 1) : 2 * padding[i];
    const std::int64_t before = is_same ? all / 2 : padding[i];
    result += (result.empty() ? "(" : ", ") + std::to_string(before) + ", " + std::to_string(all - before);
  }
  return result + ")";
}

// As torch/nn/modules/batchnorm.py: statistics of the batch in training, and where there are no others.
std::string batch_norm(const Arguments& arguments) {
  const bool tracks = argument(arguments, "track_running_stats") != "False";
  const std::string momentum = argument(arguments, "momentum");
  std::string result = "def forward(self, input: Tensor) -> Tensor:\n";
  // In the words that Netron knows: a function for the method, and an else.
  if (tracks) result += "  if self.training:\n    added = torch.add_(self.num_batches_tracked, 1)\n  else:\n    pass\n";
  result +=
      momentum != "None" ? "  share = " + momentum + "\n"
      : tracks
          ? "  share = 0.0\n  if self.training:\n    share = 1.0 / float(self.num_batches_tracked)\n  else:\n    pass\n"
          : "  share = 0.0\n";
  return result + "  return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, " +
         (tracks ? "self.training" : "True") + ", share, {eps})\n";
}

// As torch/nn/modules/instancenorm.py, which takes a single sample, too.
std::string instance_norm(const Arguments& arguments, std::size_t axes) {
  const std::string own = argument(arguments, "track_running_stats") == "True" ? "self.training" : "True";
  const std::string momentum = argument(arguments, "momentum");
  const std::string settings = ", self.running_mean, self.running_var, self.weight, self.bias, " + own + ", " +
                               (momentum == "None" ? "0.0" : momentum) + ", {eps})";
  return "def forward(self, input: Tensor) -> Tensor:\n  if input.ndim == " + std::to_string(axes + 1) +
         ":\n    return F.instance_norm(input.unsqueeze(0)" + settings + ".squeeze(0)\n  return F.instance_norm(input" +
         settings + "\n";
}

// As torch/nn/modules/rnn.py: ATen takes all weights in a row, layer by layer, direction by direction.
std::string recurrent(const std::string& kind, const Arguments& arguments) {
  const bool is_lstm = kind == "LSTM", is_bidirectional = argument(arguments, "bidirectional") == "True";
  const bool has_bias = argument(arguments, "bias") != "False";
  const std::string projection = argument(arguments, "proj_size");
  const bool projects = is_lstm && !projection.empty() && projection != "0";
  const std::int64_t layers = numbers_in(argument(arguments, "num_layers")).at(0);
  std::string weights;
  for (std::int64_t layer = 0; layer < layers; ++layer)
    for (int direction = 0; direction <= (is_bidirectional ? 1 : 0); ++direction)
      for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"}) {
        const bool is_bias = std::string_view(name).starts_with("bias");
        if ((is_bias && !has_bias) || (name == std::string_view("weight_hr") && !projects)) continue;
        weights += (weights.empty() ? "self." : ", self.") + std::string(name) + "_l" + std::to_string(layer) +
                   (direction ? "_reverse" : "");
      }
  const std::string operation = kind == "RNN" ? "rnn_" + argument(arguments, "nonlinearity").substr(1, 4)
                                : is_lstm     ? "lstm"
                                              : "gru";
  const std::string states = is_lstm ? "Tuple[Tensor, Tensor]" : "Tensor";
  const std::string count = std::to_string(layers * (is_bidirectional ? 2 : 1));
  const auto zeros = [&](const std::string& size) {
    return "torch.zeros([" + count + ", batch, " + size + "], dtype=x.dtype, device=x.device)";
  };
  const std::string h = projects ? projection : "{hidden_size}";
  const std::string at = argument(arguments, "batch_first") == "True" ? "0" : "1";
  const std::string settings =
      ", [" + weights + "], {bias}, {num_layers}, {dropout}, self.training, {bidirectional}, {batch_first})\n";
  std::string result = "def forward(self, input: Tensor, hx: Optional[" + states + "]=None) -> Tuple[Tensor, " +
                       states + "]:\n  single = input.ndim == 2\n  x = input\n  if single:\n    x = input.unsqueeze(" +
                       at + ")\n  batch = x.shape[" + at + "]\n";
  const auto unless_given = [&](const std::string& name, const std::string& given, const std::string& size) {
    return "  if hx is None:\n    " + name + " = " + zeros(size) + "\n  else:\n    " + name + " = " + given +
           "\n    if single:\n      " + name + " = " + name + ".unsqueeze(1)\n";
  };
  result += unless_given("h", is_lstm ? "hx[0]" : "hx", h);
  if (is_lstm) result += unless_given("c", "hx[1]", "{hidden_size}");
  result +=
      is_lstm ? "  y, h, c = torch.lstm(x, [h, c]" + settings : "  y, h = torch." + operation + "(x, h" + settings;
  result += "  if single:\n    y = y.squeeze(" + at + ")\n    h = h.squeeze(1)\n";
  if (is_lstm) result += "    c = c.squeeze(1)\n";
  return result + (is_lstm ? "  return y, (h, c)\n" : "  return y, h\n");
}

// As torch/nn/modules/sparse.py: what is longer than max_norm is shortened first.
std::string embedding(const Arguments& arguments) {
  std::string result = "def forward(self, input: Tensor) -> Tensor:\n";
  if (argument(arguments, "max_norm") != "None")
    result +=
        "  shortened = torch.embedding_renorm_(self.weight.detach(), input.contiguous(), {max_norm}, {norm_type})\n";
  const std::string padding = argument(arguments, "padding_idx");
  return result + "  return torch.embedding(self.weight, input, " + (padding == "None" ? "-1" : padding) +
         ", {scale_grad_by_freq}, {sparse})\n";
}

// As torch.nn.functional.embedding_bag: rows are bags of equal length, which have no offsets.
std::string embedding_bag(const Arguments& arguments) {
  const std::string mode = argument(arguments, "mode");
  const std::string number = mode == "\"sum\"" ? "0" : mode == "\"max\"" ? "2" : "1";
  std::string result =
      "def forward(self, input: Tensor, offsets: Optional[Tensor]=None,\n"
      "    per_sample_weights: Optional[Tensor]=None) -> Tensor:\n"
      "  indices = input\n  weights = per_sample_weights\n  ends = {include_last_offset}\n"
      "  if input.ndim == 2:\n    ends = False\n    indices = input.reshape(-1)\n"
      "    offsets = torch.arange(0, indices.numel(), input.shape[1], dtype=input.dtype, device=input.device)\n"
      "    if weights is not None:\n      weights = weights.reshape(-1)\n"
      "  assert offsets is not None\n";
  if (argument(arguments, "max_norm") != "None")
    result += "  shortened = torch.embedding_renorm_(self.weight.detach(), indices, {max_norm}, {norm_type})\n";
  return result + "  return torch.embedding_bag(self.weight, indices, offsets, {scale_grad_by_freq}, " + number +
         ", {sparse}, weights, ends, {padding_idx})[0]\n";
}

std::string made_of(std::string_view class_name, const Arguments& arguments) {
  const auto axes = static_cast<std::size_t>(class_name[class_name.size() - 2] - '0');
  if (class_name.starts_with("nn.BatchNorm") || class_name == "nn.SyncBatchNorm") return batch_norm(arguments);
  if (class_name.starts_with("nn.InstanceNorm")) return instance_norm(arguments, axes);
  if (class_name == "nn.LSTM" || class_name == "nn.GRU" || class_name == "nn.RNN")
    return recurrent(std::string(class_name.substr(3)), arguments);
  if (class_name == "nn.MultiheadAttention") return multi_head_attention(arguments);
  if (class_name == "nn.EmbeddingBag") return embedding_bag(arguments);
  return class_name == "nn.Embedding" ? embedding(arguments) : "";
}

}  // namespace

std::string filled(const std::string& text, const Arguments& arguments) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find('{', at), close = text.find('}', open);
    if (close == std::string::npos) return result + text.substr(at);
    const std::string inside = text.substr(open + 1, close - open - 1);
    const bool is_list = inside.starts_with('[') && inside.ends_with(']');
    const std::size_t equals = inside.find('=');
    const std::string name = is_list ? inside.substr(1, inside.size() - 2) : inside.substr(0, equals);
    const auto found = arguments.find(name);
    result += text.substr(at, open - at);
    if (found == arguments.end())
      result += equals == std::string::npos ? "{" + inside + "}" : inside.substr(equals + 1);
    else if (is_list && found->second.starts_with('('))
      result += "[" + found->second.substr(1, found->second.size() - 2) + "]";
    else
      result += found->second;
    at = close + 1;
  }
  return result;
}

std::string forward_of_class(std::string_view class_name, const Arguments& given) {
  if (const auto found = kForwards.find(class_name); found != kForwards.end()) {
    Arguments arguments = given;
    for (const char* name : {"size", "scale_factor", "normalized_shape"})
      if (const std::string text = argument(given, name);
          !text.empty() && text != "None" && class_name != "nn.LocalResponseNorm")
        arguments[name] = list_of(text, 1);
    return filled(found->second, arguments);
  }
  if (const std::string made = made_of(class_name, given); !made.empty()) return filled(made, given);
  if (class_name.size() < 3 || !class_name.ends_with('d')) return "";
  const std::size_t axes = static_cast<std::size_t>(class_name[class_name.size() - 2] - '0');
  const auto found = kForwardsByAxes.find(class_name.substr(0, class_name.size() - 2));
  if (found == kForwardsByAxes.end()) return "";
  Arguments arguments = given;
  arguments["d"] = class_name.substr(class_name.size() - 2);
  if (argument(given, "stride") == "None") arguments["stride"] = argument(given, "kernel_size");
  const std::string mode = argument(given, "padding_mode");
  if (!mode.empty() && mode != "\"zeros\"") {
    arguments["margins"] = margins(given, axes);
    return filled(kPaddedConv, arguments);
  }
  if (class_name.starts_with("nn.MaxUnpool"))
    for (const char* name : {"kernel_size", "stride", "padding"}) arguments[name] = list_of(arguments[name], axes);
  if (class_name.find("Pad") != std::string_view::npos) arguments["padding"] = list_of(arguments["padding"], 2 * axes);
  return filled(found->second, arguments);
}

}  // namespace h5bridge::torch_script
