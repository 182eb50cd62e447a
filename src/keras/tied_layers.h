// Which layers that share parameters are one layer in Keras, which has no other way to share a variable.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "facets/keras/mapping.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

struct TiedLayers {
  struct Stand {
    std::string host;                // the layer that stands for this one
    const SharedUse* use = nullptr;  // how, where they are of different types
  };
  std::map<std::string, Stand> stands;            // by the name of the layer that is none of its own in Keras
  std::map<std::string, const SharedUse*> hosts;  // of those whose class changes for it
  std::map<std::string, std::string> tied;        // the tensors of `stands`, by those of their hosts
};

/// `architecture.ties` as Keras can say them. `moved`: tensors that Keras has in another layout than PyTorch; these are
/// never another's.
TiedLayers tied_layers(const Architecture& architecture, const std::set<std::string>& moved);

}  // namespace h5bridge
