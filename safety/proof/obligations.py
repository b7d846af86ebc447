"""What is proved of every envelope: one function for each part, all of them asked by `prove_envelope`."""

from safety.proof.about_floats import floats_behave
from safety.proof.about_guard import the_guard
from safety.proof.about_handover import the_incumbent_regains_the_plant
from safety.proof.about_inputs import inputs_are_sound
from safety.proof.about_ladder import the_ladder
from safety.proof.about_latches import latches_clear_on_their_own_evidence
from safety.proof.about_ramp import the_ramp_stays_permitted
from safety.proof.about_rules import last_resorts_stand, rules_are_neither_dead_nor_contradictory
from safety.proof.about_time import time_is_kept

OBLIGATIONS = (
    the_ladder,
    the_guard,
    latches_clear_on_their_own_evidence,
    last_resorts_stand,
    rules_are_neither_dead_nor_contradictory,
    the_ramp_stays_permitted,
    time_is_kept,
    the_incumbent_regains_the_plant,
    inputs_are_sound,
    floats_behave,
)
