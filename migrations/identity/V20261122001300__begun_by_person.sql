-- What somebody has begun is deleted when how they prove who they are changes: it is found by them. What strangers begin is nobody's.

CREATE INDEX passkey_ceremonies_user_idx ON passkey_ceremonies (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX device_challenges_user_idx ON device_challenges (user_id) WHERE user_id IS NOT NULL;
