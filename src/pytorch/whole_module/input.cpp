#include "pytorch/whole_module/input.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "model/checked.h"
#include "model/tensor_type.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostAxes = 5;

using Sizes = std::map<std::string, std::int64_t>;

/// How open sizes are called behind the batch, by the number of axes; as the exporter calls them.
const std::array<std::vector<std::string>, kMostAxes + 1>& axis_names() {
  static const std::array<std::vector<std::string>, kMostAxes + 1> names{{
      {},
      {"batch"},
      {"batch", "length"},
      {"batch", "length", "length_1"},
      {"batch", "channels", "height", "width"},
      {"batch", "channels", "depth", "height", "width"},
  }};
  return names;
}

const LayerType& type_of(const Layer& layer) { return Registry::instance().type_of(layer); }

using Inputs = std::vector<Input>;

/// A graph's calls, with their layers.
struct Calls {
  explicit Calls(const Architecture& architecture) : nodes(architecture.nodes) {
    const ArchitectureIndex index(architecture);
    for (const Node& node : nodes) layers.push_back(index.find_layer(node.layer));
  }
  const std::vector<Node>& nodes;
  std::vector<const Layer*> layers;
};

/// PyTorch's recurrent layers, and those of attention, have the batch second unless they say otherwise.
bool have_batch_second(const Calls& calls) {
  const auto layer =
      std::ranges::find_if(calls.layers, [](const Layer* each) { return each->attributes.contains("batch_first"); });
  return layer != calls.layers.end() && !(*layer)->attributes.boolean("batch_first");
}

/// As the exporter calls the axes; those of further sequences have lengths of their own.
Inputs open_inputs(const Calls& calls, const ModuleOperands& operands, std::size_t rank) {
  Inputs inputs;
  for (const std::string& operand : operands.names) {
    SymbolicShape shape;
    for (const std::string& name : axis_names()[rank]) {
      const bool is_own = operands.are_sequences && name == "length" && !inputs.empty();
      shape.push_back(Size::symbol(is_own ? operand + "_" + name : name));
    }
    if (rank > 1 && have_batch_second(calls)) std::swap(shape[0], shape[1]);
    inputs.push_back({operand, std::move(shape)});
  }
  return inputs;
}

std::int64_t product_of(const Attributes& a, const char* name) {
  std::int64_t result = 1;
  for (const std::int64_t each : a.integers(name)) result = checked_multiply(result, each, "a window's size");
  return result;
}

/// How many places a window takes in an image.
std::int64_t windows_in(const Attributes& a) {
  std::int64_t result = 1;
  const std::vector<std::int64_t>& sizes = a.integers("output_size");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t reach = a.integers("dilation").at(i) * (a.integers("kernel_size").at(i) - 1) + 1;
    const std::int64_t steps = sizes[i] + 2 * a.integers("padding").at(i) - reach;
    if (steps < 0) throw MalformedFile("its window is larger than its output");
    result = checked_multiply(result, steps / a.integers("stride").at(i) + 1, "a number of windows");
  }
  return result;
}

/// Layers whose inputs differ from one another, or have an axis that is made of several settings.
struct ShapesRow {
  std::string_view type;
  std::vector<SymbolicShape> (*shapes)(const Attributes&);
};

const std::array<ShapesRow, 3>& shapes_rows() {
  static const std::array<ShapesRow, 3> table{{
      {"Bilinear",
       [](const Attributes& a) {
         const Size batch = Size::symbol("batch");
         return std::vector<SymbolicShape>{{batch, a.integer("in1_features")}, {batch, a.integer("in2_features")}};
       }},
      {"MultiheadAttention",
       [](const Attributes& a) {
         const auto features = [&](const char* own) { return a.integer(a.is_none(own) ? "embed_dim" : own); };
         const Size batch = Size::symbol("batch"), length = Size::symbol("length"), steps = Size::symbol("key_length");
         std::vector<SymbolicShape> result{{batch, length, a.integer("embed_dim")},
                                           {batch, steps, features("kdim")},
                                           {batch, steps, features("vdim")}};
         if (!a.boolean("batch_first"))
           for (SymbolicShape& shape : result) std::swap(shape[0], shape[1]);
         return result;
       }},
      {"Fold",
       [](const Attributes& a) {
         return std::vector<SymbolicShape>{
             {Size::symbol("batch"), Size::symbol("channels") * product_of(a, "kernel_size"), windows_in(a)}};
       }},
  }};
  return table;
}

/// What the last axes of an operand have to be, of layers whose shapes go by open sizes as well.
struct LastSizesRow {
  std::string_view type;
  std::vector<std::int64_t> (*sizes)(const Attributes&, std::size_t operand);
};

const std::array<LastSizesRow, 3>& last_sizes_rows() {
  static const auto normalized = [](const Attributes& a, std::size_t) { return a.integers("normalized_shape"); };
  static const std::array<LastSizesRow, 3> table{{
      {"MultiheadAttention",
       [](const Attributes& a, std::size_t operand) {
         const char* own = operand == 0 ? "embed_dim" : operand == 1 ? "kdim" : "vdim";
         return std::vector<std::int64_t>{a.integer(a.is_none(own) ? "embed_dim" : own)};
       }},
      {"LayerNorm", normalized},
      {"RMSNorm", normalized},
  }};
  return table;
}

void bind_size(Inputs& inputs, const Size& symbol, std::int64_t number) {
  const std::vector<std::string> symbols = symbol.symbols();
  if (symbol.value() || symbols.size() != 1 || symbols[0] == "batch") return;
  for (Input& each : inputs)
    for (Size& size : each.shape) size = size.bind({{symbols[0], number}});
}

/// The sizes that layers which take an input say of it.
void bind_last_sizes(const Calls& calls, Inputs& inputs) {
  for (std::size_t i = 0; i < calls.nodes.size(); ++i) {
    const auto row = std::ranges::find(last_sizes_rows(), calls.layers[i]->type, &LastSizesRow::type);
    if (row == last_sizes_rows().end()) continue;
    const std::vector<Value> values = calls.nodes[i].values();
    for (std::size_t operand = 0; operand < values.size(); ++operand) {
      const auto input = std::ranges::find(inputs, values[operand].node, &Input::name);
      if (input == inputs.end()) continue;
      const SymbolicShape shape = input->shape;
      const std::vector<std::int64_t> sizes = row->sizes(calls.layers[i]->attributes, operand);
      for (std::size_t k = 1; k <= std::min(sizes.size(), shape.size()); ++k)
        bind_size(inputs, shape[shape.size() - k], sizes[sizes.size() - k]);
    }
  }
}

/// How far shapes get.
struct Passage {
  std::size_t calls = 0;    // that they go through
  std::size_t outputs = 1;  // of the last of these
  std::string problem;      // with the next one
};

Passage pass(const Calls& calls, const Inputs& inputs, const Sizes& sizes, const std::string& last = "") {
  std::map<Value, TensorType> types;
  for (const Input& input : inputs) {
    TensorType type{input.dtype, input.shape};
    for (Size& size : type.shape) size = size.bind(sizes);
    types.emplace(Value{input.name, 0}, std::move(type));
  }
  Passage passage;
  for (std::size_t i = 0; i < calls.nodes.size(); ++i) {
    try {
      std::vector<TensorType> given;
      for (const Value& value : calls.nodes[i].values()) given.push_back(types.at(value));
      const std::vector<TensorType> outputs = type_of(*calls.layers[i]).outputs(calls.layers[i]->attributes, given);
      passage.outputs = outputs.size();
      types.emplace(Value{calls.nodes[i].name, 0}, outputs.at(0));
    } catch (const Error& error) {
      passage.problem = describe(*calls.layers[i]) + ": " + error.what();
      break;
    }
    ++passage.calls;
    if (calls.nodes[i].name == last) break;
  }
  return passage;
}

/// All numbers among a layer's settings that an axis may have to have.
std::set<std::int64_t> numbers_of(const Layer& layer) {
  std::set<std::int64_t> numbers;
  for (const auto& [name, value] : layer.attributes) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) numbers.insert(*number);
    if (const auto* several = std::get_if<std::vector<std::int64_t>>(&value))
      numbers.insert(several->begin(), several->end());
    // What an axis is taken apart into.
    if (const auto* shape = std::get_if<SymbolicShape>(&value)) {
      Size product = 1;
      for (const Size& size : *shape) product = product * size;
      if (product.value()) numbers.insert(*product.value());
    }
  }
  std::erase_if(numbers, [](std::int64_t number) { return number < 1; });
  return numbers;
}

/// The inputs with one more symbol, or several, bound to numbers that the layer which stops them has; what gets
/// further, or nothing.
std::optional<Inputs> bound(const Calls& calls, const Inputs& inputs, const Sizes& sizes, std::size_t reached,
                            int count) {
  const std::set<std::int64_t> numbers = numbers_of(*calls.layers[reached]);
  for (const Input& input : inputs)
    for (std::size_t axis = input.shape.size(); axis-- > 0;) {
      const std::vector<std::string> symbols = input.shape[axis].symbols();
      if (symbols.empty() || symbols[0] == "batch" || sizes.contains(symbols[0])) continue;
      for (const std::int64_t number : numbers) {
        Inputs tried = inputs;
        bind_size(tried, Size::symbol(symbols[0]), number);
        if (count > 1) {
          if (auto found = bound(calls, tried, sizes, reached, count - 1)) return found;
        } else if (pass(calls, tried, sizes).calls > reached) {
          return tried;
        }
      }
    }
  return std::nullopt;
}

/// The inputs that go through all calls, or how far the best ones get.
std::pair<std::optional<Inputs>, Passage> fitted(const Calls& calls, Inputs inputs, const Sizes& sizes) {
  while (true) {
    Passage passage = pass(calls, inputs, sizes);
    if (passage.calls == calls.nodes.size()) return {std::move(inputs), passage};
    std::optional<Inputs> next;
    for (int count = 1; count <= 3 && !next; ++count) next = bound(calls, inputs, sizes, passage.calls, count);
    if (!next) return {std::nullopt, passage};
    inputs = *std::move(next);
  }
}

/// How many axes a layer's input usually has, where its shapes allow several and its name says nothing.
constexpr std::array<std::pair<std::string_view, std::size_t>, 9> kUsualAxes{{{"BatchNorm1d", 2},
                                                                              {"ChannelShuffle", 4},
                                                                              {"FeatureAlphaDropout", 4},
                                                                              {"Flatten", 4},
                                                                              {"GroupNorm", 4},
                                                                              {"LayerNorm", 3},
                                                                              {"LocalResponseNorm", 4},
                                                                              {"RMSNorm", 3},
                                                                              {"Upsample", 4}}};

/// A name that ends in "2d" has two axes behind the batch and the channels.
std::size_t usual_axes(std::string_view type) {
  const auto row = std::ranges::find(kUsualAxes, type, [](const auto& each) { return each.first; });
  if (row != kUsualAxes.end()) return row->second;
  const bool says_axes =
      type.size() > 2 && type.back() == 'd' && type[type.size() - 2] >= '1' && type[type.size() - 2] <= '3';
  return says_axes ? static_cast<std::size_t>(type[type.size() - 2] - '0') + 2 : 2;
}

/// The numbers of axes to try: first what the first layer that has to be told something is made for.
std::vector<std::size_t> ranks_for(const Calls& calls) {
  const auto is_told = [](const Layer* layer) {
    return std::ranges::any_of(type_of(*layer).attributes, [](const AttributeSpec& spec) { return !spec.fallback; });
  };
  const auto telling = std::ranges::find_if(calls.layers, is_told);
  std::vector<std::size_t> ranks{usual_axes((telling == calls.layers.end() ? *calls.layers.front() : **telling).type)};
  for (std::size_t rank = 2; rank <= kMostAxes; ++rank)
    if (rank != ranks.front()) ranks.push_back(rank);
  return ranks;
}

/// Operands besides the first that are integers, since they index something.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kIndices{
    {{"EmbeddingBag", "offsets"}, {"MaxUnpool1d", "indices"}, {"MaxUnpool2d", "indices"}, {"MaxUnpool3d", "indices"}}};

void set_types(const Layer& first, Inputs& inputs) {
  const LayerType& type = type_of(first);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool is_index =
        i == 0 ? type.integers == Integers::AreIndices
               : i < type.operands.size() && std::ranges::count(kIndices, std::pair<std::string_view, std::string_view>(
                                                                              type.name, type.operands[i].name)) > 0;
    if (is_index) inputs[i].dtype = DType::Int64;
  }
}

}  // namespace

std::vector<Input> inputs_of_graph(const Architecture& graph, const ModuleOperands& operands, const Sizes& sizes) {
  const Calls calls(graph);
  std::vector<Inputs> candidates;
  for (const ShapesRow& row : shapes_rows()) {
    if (calls.nodes.size() != 1 || row.type != calls.layers[0]->type) continue;
    const std::vector<SymbolicShape> shapes = row.shapes(calls.layers[0]->attributes);
    Inputs inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) inputs.push_back({operands.names.at(i), shapes[i]});
    candidates.push_back(std::move(inputs));
  }
  for (const std::size_t rank : ranks_for(calls)) candidates.push_back(open_inputs(calls, operands, rank));
  Passage furthest;
  for (Inputs& open : candidates) {
    set_types(*calls.layers.front(), open);
    bind_last_sizes(calls, open);
    auto [inputs, passage] = fitted(calls, open, sizes);
    if (inputs) return *std::move(inputs);
    if (furthest.problem.empty() || passage.calls > furthest.calls) furthest = passage;
  }
  throw Unsupported("the file does not say what shape its input has, and none was found that fits: " +
                    furthest.problem + "; bind open sizes (LoadOptions::fix_sizes) if that helps");
}

std::size_t outputs_of_node(const Architecture& graph, const std::string& node, const Sizes& sizes) {
  return pass(Calls(graph), graph.inputs, sizes, node).outputs;
}

}  // namespace h5bridge
