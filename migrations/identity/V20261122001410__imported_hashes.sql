-- Which hashes of bcrypt are stored, by their cost. There are fewer with each log-in of those who brought them.
CREATE INDEX password_credentials_bcrypt_idx ON password_credentials (substr(hash, 5, 2)) WHERE hash LIKE '$2%';
