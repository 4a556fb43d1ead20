"""Floor 3: where does the model look? One file for each paper."""

from .deconvnet import DeconvNet as DeconvNet
from .expected_gradients import ExpectedGradients as ExpectedGradients
from .gradient_explainer import GradientExplainer as GradientExplainer
from .gradient_input import GradientInput as GradientInput
from .guided_backprop import GuidedBackprop as GuidedBackprop
from .integrated_gradients import IntegratedGradients as IntegratedGradients
from .noisy_gradients import NoisyGradient as NoisyGradient
from .relu_gradients import ReLUGradient as ReLUGradient
from .saliency import Saliency as Saliency
from .smoothgrad import SmoothGrad as SmoothGrad
from .sobol import SobolAttribution as SobolAttribution
from .squaregrad import SquareGrad as SquareGrad
from .vargrad import VarGrad as VarGrad
